"""``metseg export`` and ``metseg verify``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_an_export_is_written_verified_and_brought_up_to_date(
    metseg: Callable[..., Any], two_cases: Callable[..., Path], tmp_path: Path
) -> None:
    project, out = two_cases(approved="a"), tmp_path / "out"
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


def test_what_cannot_be_exported_is_said_in_one_line(
    metseg: Callable[..., Any], two_cases: Callable[..., Path], tmp_path: Path
) -> None:
    project = two_cases(approved="a")
    refused = metseg("export", project, "--out", tmp_path)
    assert refused.status == 2
    assert "is not empty" in refused.err
    refused = metseg("export", tmp_path, "--out", tmp_path / "out")
    assert "is no project" in refused.err
    assert metseg("verify", tmp_path).status == 2
    assert metseg("export", project, "--out", tmp_path / "out", "--layout", "dicom").status == 2
