"""The window that a volume is shown with follows the brain, not the scalp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from metseg.preprocessing import display_window
from metseg.study import find_studies, load


def head(fat: float, *, brain: float = 60, lesion: float = 110, slices: int = 8) -> npt.NDArray[np.uint8]:
    """A ball of brain with a small lesion and dark ventricles, in a skull, in a scalp as bright as ``fat``."""
    z, y, x = np.ogrid[:slices, :128, :128]
    radius = np.sqrt((y - 64.0) ** 2 + (x - 64.0) ** 2 + 0 * z)
    volume = np.zeros((slices, 128, 128))
    volume[radius < 58] = fat
    volume[radius < 53] = 8
    volume[radius < 49] = brain
    volume[radius < 8] = 12
    volume[:2, 40:50, 60:70] = lesion
    return np.clip(volume + np.random.default_rng(0).normal(0, 2, volume.shape), 0, 255).astype(np.uint8)


def test_the_brightness_of_scalp_fat_changes_nothing() -> None:
    assert display_window(head(120)) == pytest.approx(display_window(head(250)), abs=1)


def test_brain_is_shown_in_the_middle_and_a_lesion_is_not_saturated() -> None:
    low, high = display_window(head(250))
    assert 0.3 < (60 - low) / (high - low) < 0.6
    assert (110 - low) / (high - low) < 1


def test_a_skull_stripped_brain_has_the_window_of_the_brain_in_its_skull() -> None:
    stripped = head(250)
    y, x = np.ogrid[:128, :128]
    stripped[:, (y - 64) ** 2 + (x - 64) ** 2 >= 49**2] = 0
    assert display_window(stripped) == pytest.approx(display_window(head(250)), abs=4)


@pytest.mark.parametrize(
    "volume",
    [
        np.zeros((3, 20, 20), np.uint8),
        np.full((1, 5, 5), 9, np.uint16),
        np.full((2, 4, 4), np.nan),
        np.arange(64, dtype=np.int16).reshape(1, 8, 8) - 32,
        np.array([[[0.0, np.inf, -1.0, np.nan]]]),
        np.ones((1, 1, 1), np.float32),
    ],
    ids=["zeros", "constant", "not finite", "negative", "infinite", "one voxel"],
)
def test_any_volume_has_a_finite_window(volume: npt.NDArray[Any]) -> None:
    low, high = display_window(volume)
    assert np.isfinite([low, high]).all()
    assert low < high


@pytest.mark.slow
def test_real_brains_are_neither_dark_nor_saturated(metseg_data: Path) -> None:
    for files in find_studies(metseg_data / "lgg")[::8]:
        study = load(files).studies[0]
        assert study.mask is not None
        for volume in study.voxels:
            low, high = display_window(volume)
            middle = volume[len(volume) // 2, 108:148, 108:148]
            assert 0.2 < (np.median(middle) - low) / (high - low) < 0.8, study.name
