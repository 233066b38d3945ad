"""Patients whose masks outline something else show what healthy tissue looks like, and nothing inside their masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.checkpoints import load_checkpoint
from metseg.events import Notice, drain
from metseg.preprocessing import PreprocessingConfig
from metseg.study import write_tiff
from metseg.synthetic import synthetic_study
from metseg.training import TrainingConfig, train
from metseg.training.dataset import prepare_background, prepare_single_slices
from metseg.training.losses import UNKNOWN

pytestmark = pytest.mark.slow


POST = PreprocessingConfig(sequences=("post-contrast",), clahe=None, size=None)


@pytest.fixture
def gliomas(tmp_path: Path) -> Path:
    """Two patients with FLAIR abnormalities; one has no post-contrast images."""
    for name in ("whole", "lacking"):
        study = synthetic_study(9, slices=8, size=96)
        assert study.mask is not None
        for z in range(8):
            image = study.voxels[:, z].copy()
            if name == "lacking":
                image[2] = image[1]
            path = tmp_path / "gliomas" / name / f"{name}_{z + 1}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tiff(path, image.transpose(1, 2, 0))
            write_tiff(path.with_stem(f"{path.stem}_mask"), study.mask[z] * 255)
    return tmp_path / "gliomas"


def drain_return(steps: Any) -> Any:
    """What a generator returns."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def test_inside_their_masks_nothing_is_known_and_nobody_without_the_sequence_is_used(gliomas: Path) -> None:
    events, prepared = [], None
    steps = prepare_background(gliomas, POST)
    try:
        while True:
            events.append(next(steps))
    except StopIteration as end:
        prepared = end.value
    [study] = prepared
    assert study.patient == "whole"
    assert set(np.unique(study.masks)) == {0, UNKNOWN}
    assert study.replayed
    assert Notice("1 left out, of whom a sequence is missing: lacking") in events


def test_single_slices_are_their_own_neighbours(gliomas: Path, tmp_path: Path, heads: Path) -> None:
    around = POST.model_copy(update={"neighbours": 1})
    prepared = drain_return(prepare_single_slices(gliomas, around))
    assert len(prepared) == 16
    for study in prepared:
        image = study.image(0)
        assert image.shape == (3, 96, 96)
        np.testing.assert_array_equal(image[0], image[1])
        np.testing.assert_array_equal(image[2], image[1])
    config = TrainingConfig(
        architecture="attention_unet",
        preprocessing=around,
        epochs=1,
        steps_per_epoch=1,
        batch_size=4,
        crop=64,
        replay=0.25,
        sampling="lesion",
    )
    drain(train(config, heads, tmp_path / "run", device="cpu", single_slices=gliomas))
    assert {"whole", "lacking"} < set(load_checkpoint(tmp_path / "run").card.training.patients)


def test_they_are_trained_on_beside_others_and_are_in_the_card(tmp_path: Path, heads: Path, gliomas: Path) -> None:
    config = TrainingConfig(
        architecture="attention_unet", preprocessing=POST, epochs=1, steps_per_epoch=2, batch_size=4, crop=64
    )
    drain(train(config, heads, tmp_path / "run", device="cpu", background=gliomas))
    record = load_checkpoint(tmp_path / "run").card.training
    assert "whole" in record.patients
    assert "lacking" not in record.patients
    assert len(record.held_out) == 1


def test_weights_have_the_licence_of_those_they_start_from(tmp_path: Path, heads: Path) -> None:
    config = TrainingConfig(
        architecture="attention_unet",
        preprocessing=POST,
        epochs=1,
        steps_per_epoch=1,
        batch_size=4,
        crop=64,
        licence="cc-by-4.0",
    )
    drain(train(config, heads, tmp_path / "first", device="cpu", score=False))
    further = config.model_copy(update={"init": str(tmp_path / "first"), "licence": ""})
    drain(train(further, heads, tmp_path / "further", device="cpu", score=False))
    assert load_checkpoint(tmp_path / "further").card.licence == "cc-by-4.0"
    own = config.model_copy(update={"licence": ""})
    drain(train(own, heads, tmp_path / "own", device="cpu", score=False))
    assert load_checkpoint(tmp_path / "own").card.licence == "unknown"
