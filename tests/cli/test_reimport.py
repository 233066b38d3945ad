"""``metseg import``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metseg.curation import EditKind, Project, Status


def test_an_export_is_taken_back_and_nobodys_labels_are_replaced(
    metseg: Callable[..., Any], two_cases: Callable[..., Path], tmp_path: Path
) -> None:
    project = two_cases(approved="ab")
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    assert metseg("export", project, "--out", out).status == 0

    done = metseg("import", elsewhere, "--from", out, "--annotator", "x2")
    assert (done.status, done.out) == (0, f"2 cases taken over into {elsewhere}\n"), done.err
    taken = Project.open(elsewhere)
    assert [case.status for case in taken.cases()] == [Status.APPROVED] * 2
    with taken.open_case("a") as case:
        assert (case.labels == 5).all()
        assert "x2" in case.statistics().annotators
        case.commit(np.zeros(case.shape, np.uint16), EditKind.FILL)
    again = metseg("import", elsewhere, "--from", out)
    assert again.out == f"0 cases taken over into {elsewhere}, 2 there already\n"

    third = tmp_path / "third"
    assert metseg("project", "create", third, "--data", tmp_path / "b.tif").status == 0
    with Project.open(third).open_case("b") as case:
        case.commit(np.full(case.shape, 9, np.uint16), EditKind.FILL)
    refused = metseg("import", third, "--from", out)
    assert refused.status == 1
    assert refused.out == f"1 case taken over into {third}\n"
    assert refused.err.splitlines()[-1].strip() == "b"
    assert (Project.open(third).read_case("b").labels == 9).all()


def test_what_is_no_export_makes_no_project(metseg: Callable[..., Any], tmp_path: Path) -> None:
    refused = metseg("import", tmp_path / "new", "--from", tmp_path)
    assert refused.status == 2
    assert "manifest.json" in refused.err
    assert not (tmp_path / "new").exists()
