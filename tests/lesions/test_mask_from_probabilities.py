"""Probabilities become a mask by threshold, filled holes and a smallest size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError
from scipy import ndimage

from metseg.lesions import PostprocessingConfig, label_lesions, mask_from_probabilities

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)
PROBABILITIES = hnp.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32))


def test_the_threshold_itself_is_lesion() -> None:
    probabilities = np.array([[[0.25, 0.5, 0.75]]], np.float32)
    mask = mask_from_probabilities(probabilities, PostprocessingConfig(threshold=0.5))
    np.testing.assert_array_equal(mask, [[[0, 1, 1]]])
    assert mask.dtype == np.uint8


def test_holes_are_filled_slice_by_slice() -> None:
    probabilities = np.ones((3, 5, 5), np.float32)
    probabilities[:, 2, 2] = 0
    probabilities[1, 2, 3:] = 0
    filled = mask_from_probabilities(probabilities, PostprocessingConfig())
    assert filled[0, 2, 2] == filled[2, 2, 2] == 1, "open towards the next slice only: still a hole"
    assert filled[1, 2, 2] == 0, "open to the edge within its slice"
    kept = mask_from_probabilities(probabilities, PostprocessingConfig(fill_holes=False))
    assert kept.sum() == 75 - 5


def test_lesions_smaller_than_the_smallest_are_dropped() -> None:
    probabilities = np.zeros((3, 8, 8), np.float32)
    probabilities[0, 0, :2] = 1
    probabilities[1, 4, 4:7] = 1
    for smallest, expected in ((0, 5), (2, 5), (3, 3), (4, 0)):
        assert (
            mask_from_probabilities(probabilities, PostprocessingConfig(min_lesion_voxels=smallest)).sum() == expected
        )


def test_size_is_counted_in_three_dimensions_and_across_corners() -> None:
    probabilities = np.zeros((3, 4, 4), np.float32)
    probabilities[[0, 1, 2], [0, 1, 2], [0, 1, 2]] = 1
    assert mask_from_probabilities(probabilities, PostprocessingConfig(min_lesion_voxels=3)).sum() == 3


def test_a_filled_hole_counts_towards_the_size() -> None:
    probabilities = np.ones((1, 3, 3), np.float32)
    probabilities[0, 1, 1] = 0
    assert mask_from_probabilities(probabilities, PostprocessingConfig(min_lesion_voxels=9)).sum() == 9


@given(PROBABILITIES, st.floats(0, 1), st.integers(0, 30), st.booleans())
@settings(deadline=None)
def test_whatever_the_probabilities_every_lesion_left_is_large_enough(
    probabilities: np.ndarray, threshold: float, smallest: int, fill: bool
) -> None:
    before = probabilities.copy()
    config = PostprocessingConfig(threshold=threshold, min_lesion_voxels=smallest, fill_holes=fill)
    mask = mask_from_probabilities(probabilities, config)
    np.testing.assert_array_equal(probabilities, before)
    sizes = np.bincount(label_lesions(mask).ravel())[1:]
    assert (sizes >= max(smallest, 1)).all()
    if not fill:
        assert not (mask.astype(bool) & (probabilities < np.float32(threshold))).any()
    raw = probabilities >= threshold
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in raw])
    assert not (mask.astype(bool) & ~filled).any()


@given(PROBABILITIES, st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_a_higher_threshold_never_adds_a_voxel(probabilities: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((one, other))
    wide = mask_from_probabilities(probabilities, PostprocessingConfig(threshold=low))
    narrow = mask_from_probabilities(probabilities, PostprocessingConfig(threshold=high))
    assert (narrow <= wide).all()


def test_not_a_number_is_not_lesion() -> None:
    probabilities = np.full((1, 2, 2), np.nan, np.float32)
    assert not mask_from_probabilities(probabilities, PostprocessingConfig(threshold=0)).any()


def test_labels_number_components_across_corners_and_slices() -> None:
    mask = np.zeros((2, 4, 6), np.uint8)
    mask[0, 0, 0] = mask[1, 1, 1] = 255
    mask[0, 0, 4] = 1
    labels = label_lesions(mask)
    assert labels.dtype == np.int32
    assert labels.max() == 2
    assert labels[0, 0, 0] == labels[1, 1, 1] == 1
    assert labels[0, 0, 4] == 2


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"threshold": -0.1}, {"smallest": -1}, {"median": 3}])
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PostprocessingConfig.model_validate(wrong)


def test_a_config_survives_json() -> None:
    config = PostprocessingConfig(threshold=0.35, min_lesion_voxels=12, fill_holes=False)
    assert PostprocessingConfig.model_validate_json(config.model_dump_json()) == config


def test_a_whole_examination_takes_well_under_a_second_of_cpu(runs_within) -> None:
    rng = np.random.default_rng(0)
    probabilities = ndimage.gaussian_filter(rng.random((60, 256, 256), dtype=np.float32), (1, 3, 3))
    threshold = float(np.quantile(probabilities, 0.97))
    probabilities = np.clip(probabilities, 0, 1)
    config = PostprocessingConfig(threshold=threshold, min_lesion_voxels=10)
    assert label_lesions(mask_from_probabilities(probabilities, config)).max() > 100
    runs_within(1, lambda: mask_from_probabilities(probabilities, config))


def test_a_lesion_is_found_at_its_peak_and_outlined_at_the_threshold() -> None:
    probabilities = np.zeros((3, 12, 12), np.float32)
    probabilities[1, 1:4, 1:4] = 0.4
    probabilities[1, 2, 2] = 0.95
    probabilities[1, 8:11, 8:11] = 0.85
    mask = mask_from_probabilities(probabilities, PostprocessingConfig(threshold=0.3, peak=0.9))
    assert mask[1, 1:4, 1:4].all()
    assert mask.sum() == 9
    assert mask_from_probabilities(probabilities, PostprocessingConfig(threshold=0.3)).sum() == 18
