"""What a person gets who installs the wheel, with no repository around."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import metseg

pytestmark = pytest.mark.slow


MAX_WHEEL_BYTES = 100_000_000


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel in it, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    assert wheel.filename is not None
    subprocess.run([*pip, wheel.filename], check=True, capture_output=True)
    return folder


def printed(code: str, *, path: Path) -> list[str]:
    """Lines that ``code`` prints with ``path`` in front of everything else that can be imported."""
    environment = {key: value for key, value in os.environ.items() if key != "METSEG_WEIGHTS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=path,
        env={**environment, "PYTHONPATH": str(path)},
    )
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(repository)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_the_plugin_manifest_is_inside_the_import_package(wheel: zipfile.ZipFile, repository: Path) -> None:
    assert wheel.read("metseg/napari.yaml") == (repository / "src/metseg/napari.yaml").read_bytes()


def test_napari_finds_the_manifest_by_its_entry_point(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "[napari.manifest]\nnapari-metseg = metseg:napari.yaml" in text
    assert "metseg = metseg.cli:main" in text


def test_every_weight_file_is_inside(wheel: zipfile.ZipFile, repository: Path) -> None:
    names = set(wheel.namelist())
    weights = repository / "weights"
    tracked = [
        path
        for path in weights.rglob("*")
        if path.is_file() and path.name in ("model.safetensors", "README.md", "comparable.json")
    ]
    missing = [path for path in tracked if f"metseg/weights/{path.relative_to(weights).as_posix()}" not in names]
    assert missing == []


def test_the_package_says_that_it_is_typed_and_under_which_licence(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "metseg/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_no_tests_and_no_images_are_shipped(wheel: zipfile.ZipFile) -> None:
    stray = [name for name in wheel.namelist() if name.startswith("tests") or name.endswith((".tif", ".tiff", ".dcm"))]
    assert stray == []


def test_it_is_small_enough_for_the_package_index(wheel: zipfile.ZipFile) -> None:
    assert wheel.filename is not None
    assert Path(wheel.filename).stat().st_size < MAX_WHEEL_BYTES


def test_the_wheel_has_the_version_of_the_project_file(wheel: zipfile.ZipFile, repository: Path) -> None:
    version = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert wheel.filename is not None
    assert Path(wheel.filename).name.startswith(f"napari_metseg-{version}-")


def test_it_finds_its_weights_with_no_repository_around(installed: Path, repository: Path) -> None:
    code = "from metseg.checkpoints import list_models\nfor one in list_models(): print(one.name, one.path)"
    found = dict(line.split(" ", 1) for line in printed(code, path=installed))
    shipped = [
        path for form in ("model.safetensors", "ensemble.json") for path in (repository / "weights").glob(f"*/{form}")
    ]
    assert set(found) == {path.parent.name for path in shipped}
    assert "best" in found
    assert all(Path(path).is_relative_to(installed.resolve()) for path in found.values())


def test_napari_would_list_the_plugin(installed: Path) -> None:
    code = (
        "from npe2 import PluginManager\n"
        "manager = PluginManager(); manager.discover()\n"
        "print(manager.get_manifest('napari-metseg').package_metadata.version)\n"
        "import metseg; print(metseg.__file__)"
    )
    version, file = printed(code, path=installed)
    assert version == metseg.__version__
    assert Path(file).is_relative_to(installed.resolve())
