"""``metseg compare`` writes a report and says what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_models_are_compared_from_the_command_line(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    write_patient(tmp_path / "data" / "a", slices=4)
    write_patient(tmp_path / "data" / "b", slices=4)
    report = tmp_path / "report"
    done = metseg(
        "compare", "--model", model, "--data", tmp_path / "data", "--patient", "b", "--out", report, "--device", "cpu"
    )
    assert done.status == 0, done.err
    assert "Dice, mean" in done.out
    assert str(report / "report.html") in done.err
    assert {file.name for file in report.iterdir()} == {"report.html", "report.md", "scores.json"}
    assert json.loads((report / "scores.json").read_text(encoding="utf-8"))["patients"] == 1


def test_a_patient_or_model_that_is_not_there_is_said_in_one_line(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    write_patient(tmp_path / "data" / "a", slices=2)
    for arguments, says in (
        (("--model", model, "--patient", "nobody"), "nobody"),
        (("--model", "no_such_model"), "no_such_model"),
    ):
        refused = metseg("compare", *arguments, "--data", tmp_path / "data", "--out", tmp_path / "report")
        assert refused.status == 2
        assert says in refused.err
        assert not (tmp_path / "report").exists()
