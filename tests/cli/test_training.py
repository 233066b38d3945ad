"""``metseg train``, then ``evaluate`` and ``predict`` with what it made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


SMALL = ("--crop", "64", "--size", "64", "--batch-size", "2", "--steps-per-epoch", "2")


@pytest.fixture
def data(write_patient: Any, tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write_patient(tmp_path / "data" / name)
    return tmp_path / "data"


def test_a_trained_network_is_evaluated_used_and_trained_on(metseg: Any, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = ("train", "--model", "attention_unet", "--data", data, "--out", run, *SMALL)
    first = metseg(*train, "--epochs", "1")
    assert first.status == 0, first.err
    assert first.out.strip() == str(run / "model.safetensors")
    assert "epoch 1 of 1" in first.err

    scores = tmp_path / "scores.json"
    froc = tmp_path / "froc.png"
    evaluated = metseg("evaluate", "--model", run, "--data", data, "--json", scores, "--froc", froc)
    assert evaluated.status == 0, evaluated.err
    assert "FLAIR alone" in evaluated.out
    assert "Dice per patient, mean" in evaluated.out
    assert "lesions found, by patient" in evaluated.out
    assert "found, 200 voxels and more" in evaluated.out
    assert froc.stat().st_size > 1000
    assert "--held-out" in evaluated.err
    written = json.loads(scores.read_text(encoding="utf-8"))
    summary = written["summaries"]["all sequences"]
    assert 0 <= summary["mean_dice"] <= 1
    assert len(summary["scores"][0]["scans"][0]["lesions"]) == summary["scores"][0]["lesions"]
    assert len(summary["froc"]) > 5
    unknown = metseg("evaluate", "--model", run, "--data", data, "--froc", tmp_path / "froc.mp3")
    assert unknown.status == 2
    assert ".png" in unknown.err

    held_out = json.loads((run / "split.json").read_text(encoding="utf-8"))["held_out"]
    only = metseg("evaluate", "--model", run, "--data", data, "--held-out", "--json", scores)
    assert only.status == 0, only.err
    assert "Trained on" not in only.err
    assert json.loads(scores.read_text(encoding="utf-8"))["summaries"]["all sequences"]["patients"] == len(held_out)

    used = metseg("predict", "--model", run / "model.safetensors", "--input", data / "a", "--output", tmp_path / "out")
    assert used.status == 0, used.err
    assert len(list((tmp_path / "out").glob("a_*_mask.tif"))) == 10


def test_a_second_run_into_the_same_folder_must_say_resume(metseg: Any, data: Path, tmp_path: Path) -> None:
    train = ("train", "--model", "attention_unet", "--epochs", "1", "--data", data, "--out", tmp_path / "run", *SMALL)
    assert metseg(*train).status == 0
    again = metseg(*train)
    assert again.status == 2
    assert "--resume" in again.err
    resumed = metseg(*train, "--resume")
    assert resumed.status == 0, resumed.err


def test_the_card_remembers_the_command_and_the_recipe(metseg: Any, data: Path, tmp_path: Path) -> None:
    from metseg.checkpoints import load_checkpoint

    run = tmp_path / "run"
    train = ("train", "--model", "nested_unet", "--epochs", "1", "--data", data, "--out", run, *SMALL)
    done = metseg(*train, "--clahe", "none", "--normalisation", "zscore", "--loss", "bce_dice", "--seed", "7")
    assert done.status == 0, done.err
    card = load_checkpoint(run).card
    assert card.network.architecture == "nested_unet"
    assert card.preprocessing.clahe is None
    assert card.preprocessing.normalisation == "zscore"
    assert card.training.config["seed"] == 7
    assert card.training.config["loss"]["focal"] == 0
    assert card.training.command.startswith("metseg train --model nested_unet")
