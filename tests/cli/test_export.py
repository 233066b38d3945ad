"""``metseg export`` and ``metseg verify``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metseg.curation import EditKind, Project, Status
from metseg.study import read_study, write_tiff


def _project(tmp_path: Path) -> Path:
    project = Project.create(tmp_path / "project")
    for name in ("a", "b"):
        write_tiff(tmp_path / f"{name}.tif", np.full((2, 8, 9), 7, np.uint8))
        project.add(read_study(tmp_path / f"{name}.tif"))
        with project.open_case(name) as case:
            case.commit(np.ones(case.shape, np.uint16), EditKind.FILL)
            if name == "a":
                case.set_status(Status.APPROVED)
    return project.path


def test_an_export_is_written_verified_and_brought_up_to_date(metseg: Callable[..., Any], tmp_path: Path) -> None:
    project, out = _project(tmp_path), tmp_path / "out"
    done = metseg("export", project, "--out", out)
    assert (done.status, done.out) == (0, f"1 case in {out}\n")
    checked = metseg("verify", out)
    assert checked.status == 0
    assert "files as they were written" in checked.out
    done = metseg("export", project, "--out", out, "--all")
    assert done.status == 0
    assert done.out.startswith(f"2 cases in {out}")
    (out / "b" / "b_2_mask.tif").unlink()
    (out / "note.txt").write_text("x")
    checked = metseg("verify", out)
    assert checked.status == 1
    assert checked.out == "missing  b/b_2_mask.tif\nextra  note.txt\n"


def test_what_cannot_be_exported_is_said_in_one_line(metseg: Callable[..., Any], tmp_path: Path) -> None:
    project = _project(tmp_path)
    refused = metseg("export", project, "--out", tmp_path)
    assert refused.status == 2
    assert "is not empty" in refused.err
    refused = metseg("export", tmp_path, "--out", tmp_path / "out")
    assert "is no project" in refused.err
    assert metseg("verify", tmp_path).status == 2
    assert metseg("export", project, "--out", tmp_path / "out", "--layout", "dicom").status == 2
