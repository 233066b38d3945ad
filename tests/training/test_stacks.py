"""A network that looks along z learns from stacks of consecutive slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.preprocessing import PreprocessingConfig
from metseg.synthetic import synthetic_study
from metseg.training import AugmentationConfig, TrainingConfig, train
from metseg.training.dataset import EpochPlan, Place, TrainingSlices, prepare

pytestmark = pytest.mark.slow


PLAIN = PreprocessingConfig(clahe=None, size=None)
UNCHANGED = AugmentationConfig(
    horizontal_flip=0, vertical_flip=0, rotation=0, shear=0, scale=0, shift=0, elastic=0, brightness=0, contrast=0,
    gamma=0, noise=0, clahe=0, missing_sequence=0,
)  # fmt: skip


@pytest.fixture
def deep() -> TrainingConfig:
    return TrainingConfig(
        architecture="unet3d",
        epochs=1,
        steps_per_epoch=2,
        batch_size=8,
        crop=96,
        preprocessing=PLAIN,
        augmentation=UNCHANGED,
    )


def test_a_stack_is_consecutive_slices_around_the_chosen_one(deep: TrainingConfig) -> None:
    study = prepare(synthetic_study(0, slices=8, size=96), PLAIN)
    assert study is not None
    starts = set()
    for seed in range(20):
        image, mask = TrainingSlices([study], deep)[Place(0, 4), seed]
        assert image.shape == (4, 3, 96, 96)
        start = next(z for z in range(8) if np.allclose(study.image(z), image[0], atol=1e-3))
        np.testing.assert_allclose(np.stack([study.image(start + k) for k in range(4)]), image, atol=1e-3)
        np.testing.assert_array_equal(study.masks[start : start + 4, None], mask)
        starts.add(start)
    assert starts == {1, 2, 3, 4}


def test_a_step_shows_as_many_slices_as_for_other_networks(deep: TrainingConfig) -> None:
    study = prepare(synthetic_study(0, slices=8, size=96), PLAIN)
    assert study is not None
    assert [len(batch) for batch in EpochPlan([study], deep).batches(0)] == [2, 2]


def test_it_trains_validates_and_is_scored(tmp_path: Path, heads: Path, deep: TrainingConfig) -> None:
    drain(train(deep, heads, tmp_path / "run", device="cpu"))
    card = load_checkpoint(tmp_path / "run").card
    assert card.network.architecture == "unet3d"
    assert 0 <= card.scores["held_out"]["mean_dice"] <= 1


def test_a_batch_must_hold_a_stack(deep: TrainingConfig) -> None:
    with pytest.raises(ValidationError, match="does not hold a stack of 16"):
        TrainingConfig.model_validate(deep.model_dump() | {"depth": 16})
