"""``metseg tune``, ``metseg train`` with what it found, and ``metseg calibrate`` on the folds of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


SMALL = ("--crop", "64", "--size", "64", "--batch-size", "2", "--steps-per-epoch", "1", "--epochs", "1")


def test_settings_are_found_trained_with_and_calibrated(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    from metseg.checkpoints import load_checkpoint

    data = tmp_path / "data"
    for name in ("a", "b", "c"):
        write_patient(data / name, slices=5)
    base = tmp_path / "base.json"
    preprocessing = {"size": 64}
    base.write_text(json.dumps({"crop": 64, "batch_size": 2, "preprocessing": preprocessing}))
    search = ("--trials", "1", "--epochs", "1", "--steps-per-epoch", "1")
    tuned = metseg("tune", "--model", "attention_unet", "--config", base, "--data", data, "--out", tmp_path, *search)
    assert tuned.status == 0, tuned.err
    assert "trial 0 complete" in tuned.err
    assert "encoder learning rate" in tuned.out
    assert tuned.out.strip().endswith("best.json")

    train = ("train", "--config", tmp_path / "best.json", "--data", data, *SMALL, "--folds", "3", "--fold", "1")
    trained = metseg(*train, "--out", tmp_path / "cv" / "fold_1")
    assert trained.status == 0, trained.err
    again = metseg(*train, "--out", tmp_path / "cv" / "fold_1", "--resume", "--fold", "2")
    assert again.status == 2
    assert "fold 2 of 3" in again.err

    first = metseg("calibrate", "--model", tmp_path / "cv" / "fold_1", "--data", data)
    assert first.status == 0, first.err
    assert "negative log-likelihood" in first.out
    fold = load_checkpoint(tmp_path / "cv" / "fold_1")
    assert f"Temperature {fold.card.inference.temperature} from 1 patients" in first.out
    assert (
        fold.card.training.config["learning_rate"] == json.loads((tmp_path / "best.json").read_text())["learning_rate"]
    )

    more = ("train", "--init", tmp_path / "cv" / "fold_1", "--data", data, *SMALL, "--held-out", "0")
    final = metseg(*more, "--out", tmp_path / "final")
    assert final.status == 0, final.err
    assert "no patient is held out" in final.err
    assert load_checkpoint(tmp_path / "final").card.training.parent == fold.sha256
    assert metseg("calibrate", "--model", tmp_path / "final", "--data", data).status == 2
    pooled = metseg("calibrate", "--model", tmp_path / "final", "--data", data, "--runs", tmp_path / "cv")
    assert pooled.status == 0, pooled.err
    assert load_checkpoint(tmp_path / "final").card.inference.temperature != 1
