"""Lesions are found, missed and invented."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.metrics import HD95_PENALTY, ScanScore, score_scan

SHAPE = (8, 24, 24)
Block = tuple[slice, slice, slice]


def mask(*blocks: Block) -> np.ndarray:
    made = np.zeros(SHAPE, np.uint8)
    for block in blocks:
        made[block] = 1
    return made


def cube(z: int, y: int, x: int, side: int = 3) -> Block:
    return np.s_[z : z + 2, y : y + side, x : x + side]


def score(reference: np.ndarray, predicted: np.ndarray, spacing: tuple[float, float, float] | None = None) -> ScanScore:
    return score_scan("scan", reference, predicted, spacing)


def counts(reference: np.ndarray, predicted: np.ndarray) -> tuple[int, int, int]:
    """True lesions, those found, false positives."""
    found = score(reference, predicted)
    return len(found.lesions), found.found, len(found.false_positives)


def test_found_missed_and_invented_are_told_apart() -> None:
    reference = mask(cube(1, 2, 2), cube(1, 12, 12))
    predicted = mask(cube(1, 3, 3), cube(1, 2, 18))
    assert counts(reference, predicted) == (2, 1, 1)
    assert [lesion.found for lesion in score(reference, predicted).lesions] == [True, False]


def test_one_voxel_inside_is_enough_to_find_a_lesion_and_one_beside_it_is_a_false_positive() -> None:
    reference = mask(cube(1, 5, 5))
    assert counts(reference, mask(np.s_[1:2, 6:7, 7:8])) == (1, 1, 0)
    assert counts(reference, mask(np.s_[1:2, 6:7, 8:9])) == (1, 0, 1)


def test_lesions_that_touch_at_a_corner_are_one_and_a_voxel_apart_they_are_two() -> None:
    corner = mask(np.s_[1:3, 2:4, 2:4], np.s_[3:5, 4:6, 4:6])
    assert counts(corner, corner) == (1, 1, 0)
    apart = mask(np.s_[1:3, 2:4, 2:4], np.s_[1:3, 2:4, 5:7])
    assert counts(apart, apart) == (2, 2, 0)


def test_one_prediction_over_two_lesions_finds_both() -> None:
    reference = mask(cube(1, 2, 2), cube(1, 2, 14))
    predicted = mask(np.s_[1:3, 2:5, 2:18])
    assert counts(reference, predicted) == (2, 2, 0)
    assert [lesion.dice for lesion in score(reference, predicted).lesions] == pytest.approx([2 * 18 / (18 + 96)] * 2)


def test_a_lesion_found_in_pieces_counts_once_and_no_piece_is_false() -> None:
    reference = mask(np.s_[1:3, 5:8, 2:20])
    predicted = mask(cube(1, 5, 2, 2), cube(1, 5, 10, 2), cube(1, 5, 17, 2))
    assert counts(reference, predicted) == (1, 1, 0)
    assert score(reference, predicted).lesion_dice == pytest.approx(2 * 24 / (108 + 24)), "all pieces together"


def test_a_lesion_of_four_voxels_is_left_out_and_predicting_it_is_not_false() -> None:
    four, five = mask(np.s_[1:2, 2:4, 2:4]), mask(np.s_[1:2, 2:3, 2:7])
    over_it = mask(np.s_[1:4, 2:6, 2:6])
    for predicted in (four, over_it, mask()):
        assert counts(four, predicted) == (0, 0, 0)
        assert score(four, predicted).lesion_dice == 1.0
    assert counts(five, five) == (1, 1, 0)


def test_empty_masks() -> None:
    empty, full = mask(), mask(cube(1, 2, 2))
    nothing, missed, invented = score(empty, empty), score(full, empty), score(empty, full)
    assert counts(empty, empty) == (0, 0, 0)
    assert counts(full, empty) == (1, 0, 0)
    assert counts(empty, full) == (0, 0, 1)
    assert (nothing.lesion_dice, nothing.lesion_hd95) == (1.0, 0.0)
    assert (missed.lesion_dice, missed.lesion_hd95) == (0.0, HD95_PENALTY)
    assert (invented.lesion_dice, invented.lesion_hd95) == (0.0, HD95_PENALTY)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        score(np.zeros((1, 2, 2)), np.zeros((2, 1, 2)))


def test_misses_and_false_lesions_count_as_zero_in_the_lesion_wise_mean() -> None:
    reference = mask(cube(1, 2, 2), cube(1, 2, 14), cube(1, 12, 2))
    predicted = mask(cube(1, 2, 2), cube(1, 2, 14), cube(5, 18, 18))
    found = score(reference, predicted)
    assert [lesion.dice for lesion in found.lesions] == [1.0, 1.0, 0.0]
    assert found.lesion_dice == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert found.lesion_hd95 == pytest.approx((0 + 0 + 2 * HD95_PENALTY) / 4)


def test_lesions_within_reach_of_each_other_are_scored_as_one_but_found_apart() -> None:
    reference = mask(np.s_[1:3, 2:4, 2:4], np.s_[1:3, 2:4, 5:7])
    first, second = score(reference, mask(np.s_[1:3, 2:4, 2:4])).lesions
    assert (first.found, second.found) == (True, False)
    assert first.group == second.group
    assert first.dice == second.dice == pytest.approx(2 * 8 / (16 + 8))


def test_a_false_positive_beside_a_lesion_belongs_to_its_dice_and_is_no_further_zero() -> None:
    reference = mask(np.s_[1:3, 2:4, 2:4])
    found = score(reference, mask(np.s_[1:3, 2:4, 4:6]))
    assert [row.beside for row in found.false_positives] == [True]
    assert not found.lesions[0].found
    assert found.lesion_dice == 0.0
    assert found.lesion_hd95 == pytest.approx(2.0)


@pytest.mark.parametrize(("spacing", "expected"), [(None, 2.0), ((3.0, 1.0, 0.5), 1.0)])
def test_a_shifted_cube_is_as_far_as_it_was_shifted(
    spacing: tuple[float, float, float] | None, expected: float
) -> None:
    reference, predicted = mask(np.s_[1:6, 4:12, 4:12]), mask(np.s_[1:6, 4:12, 6:14])
    found = score(reference, predicted, spacing)
    assert found.unit == ("voxels" if spacing is None else "mm")
    assert found.lesion_hd95 == pytest.approx(expected)


def test_the_diameter_is_that_of_the_sphere_of_the_lesions_volume() -> None:
    z, y, x = np.ogrid[:40, :40, :40]
    ball = ((z - 20) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 <= 100).astype(np.uint8)
    (lesion,) = score_scan("scan", ball, ball, (0.5, 0.5, 0.5)).lesions
    assert lesion.diameter_mm == pytest.approx(10, rel=0.02)
    assert score_scan("scan", ball, ball).lesions[0].diameter_mm is None


MASKS = hnp.arrays(np.uint8, (4, 9, 9), elements=st.sampled_from([0, 0, 0, 1]))


@given(MASKS, MASKS)
@settings(deadline=None)
def test_counts_make_sense_and_do_not_depend_on_orientation(reference: np.ndarray, predicted: np.ndarray) -> None:
    result = score(reference, predicted)
    assert result.found <= len(result.lesions)
    assert 0 <= result.lesion_dice <= 1
    assert 0 <= result.lesion_hd95 <= HD95_PENALTY
    turned = score(reference[::-1].swapaxes(1, 2), predicted[::-1].swapaxes(1, 2))
    assert (len(turned.lesions), turned.found) == (len(result.lesions), result.found)
    assert turned.lesion_dice == pytest.approx(result.lesion_dice)
    same = score(reference, reference)
    assert same.found == len(same.lesions)
    assert same.false_positives == ()
    assert same.lesion_dice == 1.0
    assert same.lesion_hd95 == 0.0
    assert not math.isnan(result.dice)
