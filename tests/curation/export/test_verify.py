"""Whatever happens to a file of an export is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from metseg.curation import Project
from metseg.curation.export import ExportedFile, FileRole, Verification, export_project, verify
from metseg.errors import DataError


def _flip(path: Path, place: int = -3) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_missing_changed_and_extra_files_are_named(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_project(project, out)
    whole = verify(out)
    assert whole.sound
    assert whole.files == sum(path.is_file() for path in out.rglob("*")) - 1
    _flip(out / "a_1" / "a_1_2.tif")
    _flip(out / "README.md")
    (out / "b" / "b_3_mask.tif").unlink()
    (out / "c" / ".hidden").write_text("x")
    assert verify(out) == Verification(
        whole.files,
        missing=("b/b_3_mask.tif",),
        changed=("a_1/a_1_2.tif", "README.md"),
        extra=("c/.hidden",),
    )


def test_a_manifest_that_was_changed_is_noticed(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_project(project, out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["cases"][0]["status_by"] = "somebody else"
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert verify(out).changed == ("manifest.json",)
    (out / "manifest.json").write_text("{")
    assert verify(out).changed == ("manifest.json",)


@pytest.mark.parametrize("path", ["../data/a_1.tif", "/etc/hostname", "C:/x", "a\\b", "a/../../b", ""])
def test_a_manifest_cannot_speak_of_files_elsewhere(path: str) -> None:
    with pytest.raises(ValidationError, match="does not lie inside"):
        ExportedFile(path=path, role=FileRole.IMAGE, sha256="ab" * 32, bytes=1)


def test_what_is_no_export_is_said(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no export"):
        verify(tmp_path)
