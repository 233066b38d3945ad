"""napari finds the plugin, and everything its manifest names exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import npe2.cli
from npe2 import PluginManifest
from typer.testing import CliRunner


def test_npe2_validates_the_manifest_and_what_it_imports() -> None:
    result = CliRunner().invoke(npe2.cli.app, ["validate", "--imports", "napari-metseg"])
    assert result.exit_code == 0, result.output
    assert "valid" in result.output


def test_commands_carry_the_name_of_the_distribution() -> None:
    manifest = PluginManifest.from_distribution("napari-metseg")
    assert manifest.name == "napari-metseg"
    assert all(command.id.startswith("napari-metseg.") for command in manifest.contributions.commands)


def test_the_repository_carries_the_manifest_as_a_link(repository: Path) -> None:
    link = repository / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == (repository / "src" / "metseg" / "napari.yaml").resolve()


def test_every_menu_is_one_that_plugins_may_add_to() -> None:
    from napari._app_model.constants._menus import is_menu_contributable

    menus = PluginManifest.from_distribution("napari-metseg").contributions.menus
    assert set(menus) >= {"napari/layers/segment", "napari/layers/annotate", "napari/file/io_utilities"}
    assert all(is_menu_contributable(menu) for menu in menus)


def test_asking_for_a_reader_imports_neither_torch_nor_qt() -> None:
    code = (
        "import sys; from metseg.napari_plugin.reader import get_reader; get_reader('x.tif');"
        "print([name for name in ('torch', 'qtpy', 'napari', 'PyQt6') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
