"""``metseg simulate``: heads are written as they are read, and models are scored on patients they never saw."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from metseg.cli.simulate import simulate
from metseg.errors import DataError
from metseg.study import find_studies, load, read_study


def run(*arguments: str | Path) -> Result:
    """Run the command by itself."""
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(write_patient: Any, tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_patient(tmp_path / "data" / name)
    return tmp_path / "data"


def test_heads_are_written_as_pairs_with_a_list_of_their_lesions(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "simulated"
    outcome = run("--data", data, "--out", target, "--seed", "1")
    assert outcome.exit_code == 0, outcome.output
    assert str(target / "lesions.csv") in outcome.stdout
    with (target / "lesions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"] for row in rows} == {"a", "b"}
    for files in find_studies(target):
        study, before = load(files).studies[0], read_study(data / files.name)
        assert study.mask is not None
        assert before.mask is not None
        for row in (row for row in rows if row["patient"] == files.name):
            z = slice(int(row["first_slice"]), int(row["last_slice"]) + 1)
            assert (study.mask[z] > before.mask[z]).sum() >= 2
            assert 2 <= float(row["diameter_mm"]) <= 20
        assert [file.image.name for file in study.slices] == [file.image.name for file in before.slices]
        untouched = (study.voxels == before.voxels).all(axis=(0, 2, 3))
        assert not untouched.all()
        np.testing.assert_array_equal(study.mask[untouched], before.mask[untouched])
    again = run("--data", data, "--out", target)
    assert isinstance(again.exception, DataError)
    assert "exists already" in str(again.exception)


def test_a_model_is_scored_by_diameter(data: Path, model: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    outcome = run("--data", data, "--score", model, "--json", scores)
    assert outcome.exit_code == 0, outcome.output
    assert "2 to 5 mm" in outcome.stdout
    assert "false positives per head" in outcome.stdout
    assert "real metastases" in outcome.stderr
    written = json.loads(scores.read_text(encoding="utf-8"))
    assert set(written["false_lesions"]) == {"a", "b"}
    assert {lesion["patient"] for lesion in written["lesions"]} == {"a", "b"}


def test_patients_that_the_model_was_trained_on_are_left_away(data: Path, model: Path, tmp_path: Path) -> None:
    from metseg.checkpoints import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(model)
    record = checkpoint.card.training.model_copy(update={"patients": ("a",)})
    taught = save_checkpoint(tmp_path, checkpoint.network(), checkpoint.card.model_copy(update={"training": record}))
    scores = tmp_path / "scores.json"
    assert run("--data", data, "--score", taught, "--json", scores).exit_code == 0
    assert set(json.loads(scores.read_text(encoding="utf-8"))["false_lesions"]) == {"b"}
    refused = run("--data", data, "--score", taught, "--patient", "a")
    assert isinstance(refused.exception, DataError)
    assert "--all" in str(refused.exception)
    assert run("--data", data, "--score", taught, "--patient", "a", "--all").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((), "--out DIR"), (("--json", "x.json"), "--score"), (("--out", "data/inside"), "lies inside")],
)
def test_senseless_wishes_are_refused(
    data: Path, arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    outcome = run("--data", "data", *arguments)
    assert isinstance(outcome.exception, DataError)
    assert says in str(outcome.exception)
    assert not (data / "inside").exists()
