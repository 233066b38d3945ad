"""A run leaves a usable checkpoint, learns, and continues after an interruption to the same weights."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from metseg.checkpoints import load_checkpoint
from metseg.errors import DataError
from metseg.events import EpochFinished, Notice, Progress, drain
from metseg.inference import Segmenter
from metseg.metrics import score_scan
from metseg.study import read_study, write_tiff
from metseg.training import Split, TrainingConfig, train, write_split


@dataclass(frozen=True)
class Trial:
    """A run that came to its end."""

    out: Path
    file: Path
    events: list[object]


@pytest.fixture(scope="module")
def trial(heads: Path, quick: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    out = tmp_path_factory.mktemp("runs") / "trial"
    events: list[object] = []
    return Trial(out, drain(train(quick, heads, out, command="metseg train"), events.append), events)


def test_a_run_leaves_checkpoint_card_split_log_and_curves(trial: Trial, quick: TrainingConfig) -> None:
    out, events = trial.out, trial.events
    checkpoint = load_checkpoint(trial.file)
    record = checkpoint.card.training
    assert set(record.patients) | set(record.held_out) == {"head0", "head1", "head2"}
    assert len(record.held_out) == 1
    assert record.config == quick.model_dump(mode="json")
    assert 0 <= checkpoint.card.scores["held_out"]["mean_dice"] <= 1
    assert "held_out, FLAIR alone" in checkpoint.card.scores
    with (out / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    steps = [event.done for event in events if isinstance(event, Progress) and event.what.startswith("epoch")]
    assert steps == [1, 2, 3, 4]
    assert sum(isinstance(event, EpochFinished) for event in events) == 2


@pytest.mark.slow
def test_resume_ends_with_the_same_weights_as_an_unbroken_run(
    heads: Path, quick: TrainingConfig, tmp_path: Path
) -> None:
    """Stopped within an epoch and while validating; with a frozen encoder and copies with simulated metastases."""
    config = quick.model_copy(update={"freeze_encoder": 1, "simulated_lesions": 1.0})
    unbroken = load_checkpoint(drain(train(config, heads, tmp_path / "unbroken")))
    notices: list[object] = []
    for place in ("epoch 1 of 2", "validating", "epoch 2 of 2"):
        stream = train(config, heads, tmp_path / "broken", resume=True)
        for event in stream:
            if isinstance(event, Progress) and event.what.startswith(place):
                break
            notices.append(event)
        stream.close()  # type: ignore[attr-defined]
    resumed = load_checkpoint(drain(train(config, heads, tmp_path / "broken", resume=True), notices.append))
    continued = [event.text for event in notices if isinstance(event, Notice) and event.text.startswith("continuing")]
    assert continued == [f"continuing after epoch {place}" for place in ("0 and 1 step", "1", "1 and 1 step")]
    assert _log_without_time(tmp_path / "broken") == _log_without_time(tmp_path / "unbroken")
    assert unbroken.card.training.config["simulated_lesions"] == 1.0
    for key, value in unbroken.state.items():
        torch.testing.assert_close(resumed.state[key], value, rtol=0, atol=0, msg=key)


def _log_without_time(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open() as file:
        return [{key: cell for key, cell in row.items() if key != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_network_learns_a_head_by_heart(heads: Path, quick: TrainingConfig, tmp_path: Path) -> None:
    write_split(tmp_path / "run" / "split.json", Split(train=("head0",), held_out=()))
    config = quick.model_copy(update={"epochs": 3, "steps_per_epoch": 40, "batch_size": 6, "learning_rate": 2e-3})
    notices: list[object] = []
    file = drain(train(config, heads, tmp_path / "run"), notices.append)
    assert any(isinstance(event, Notice) and "no patient is held out" in event.text for event in notices)
    study = read_study(heads / "head0")
    assert study.mask is not None
    mask = Segmenter(load_checkpoint(file), device="cpu").segment(study).mask
    assert score_scan("head0", study.mask, mask).dice > 0.7


@pytest.mark.slow
def test_an_edited_split_is_obeyed_and_a_leaking_one_refused(
    heads: Path, quick: TrainingConfig, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    write_split(out / "split.json", Split(train=("head2",), held_out=("head0", "head1")))
    short = quick.model_copy(update={"epochs": 1, "steps_per_epoch": 1})
    card = load_checkpoint(drain(train(short, heads, out))).card
    assert card.training.patients == ("head2",)
    assert card.training.held_out == ("head0", "head1")
    for split, says in [
        (Split(train=("head0",), held_out=("head0",)), "on both sides of the split: head0"),
        (Split(train=("head9",), held_out=()), "no such patient in the data: head9"),
        (Split(train=(), held_out=("head0",)), "no patient is left"),
    ]:
        file = tmp_path / "bad.json"
        write_split(file, split)
        with pytest.raises(DataError, match=says):
            drain(train(quick, heads, tmp_path / "other", split=file))


def test_an_existing_run_is_never_overwritten(trial: Trial, heads: Path, quick: TrainingConfig) -> None:
    before = trial.file.read_bytes()
    with pytest.raises(DataError, match="already holds a training run"):
        drain(train(quick, heads, trial.out))
    with pytest.raises(DataError, match="other settings .*learning_rate"):
        drain(train(quick.model_copy(update={"learning_rate": 1e-5}), heads, trial.out, resume=True))
    assert trial.file.read_bytes() == before


def test_nothing_to_train_on_is_said(quick: TrainingConfig, tmp_path: Path) -> None:
    folder = tmp_path / "unmasked"
    folder.mkdir()
    write_tiff(folder / "a_1.tif", torch.zeros(96, 96, dtype=torch.uint8).numpy())
    with pytest.raises(DataError, match="no slice with a mask"):
        drain(train(quick, folder, tmp_path / "out"))


@pytest.mark.slow
def test_the_last_epoch_is_kept_if_held_out_patients_must_not_choose(
    heads: Path, quick: TrainingConfig, tmp_path: Path
) -> None:
    config = quick.model_copy(update={"steps_per_epoch": 1, "keep_last": True, "ema": 0.0, "learning_rate": 1.0})
    events: list[object] = []
    card = load_checkpoint(drain(train(config, heads, tmp_path / "run", score=False), events.append)).card
    first, second = (event.row["mean_dice"] for event in events if isinstance(event, EpochFinished))
    assert second <= first
    assert card.training.epoch == 2
    assert card.scores == {}
