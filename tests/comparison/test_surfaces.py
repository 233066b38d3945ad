"""Distances between outlines are as by hand, also where a mask is empty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metseg.comparison import compare_surfaces

EMPTY = np.zeros((4, 40, 30), np.uint8)
SQUARE = EMPTY.copy()
SQUARE[1:3, 10:26, 5:21] = 1


def test_equal_masks_agree() -> None:
    found = compare_surfaces(SQUARE, SQUARE * 255)
    assert (found.hd95, found.surface_dice) == (0.0, 1.0)


def test_two_empty_masks_agree_and_one_empty_mask_is_as_wrong_as_can_be() -> None:
    assert (compare_surfaces(EMPTY, EMPTY).hd95, compare_surfaces(EMPTY, EMPTY).surface_dice) == (0.0, 1.0)
    for one, other in ((SQUARE, EMPTY), (EMPTY, SQUARE)):
        found = compare_surfaces(one, other)
        assert found.hd95 == pytest.approx(math.hypot(40, 30))
        assert found.surface_dice == 0.0


def test_masks_that_never_share_a_slice_are_as_wrong_as_can_be() -> None:
    found = compare_surfaces(SQUARE, np.roll(SQUARE, 2, axis=0))
    assert found.hd95 == pytest.approx(math.hypot(40, 30))
    assert found.surface_dice == 0.0


@pytest.mark.parametrize("shift", [1, 2, 3, 5])
def test_a_shifted_square_is_as_far_as_it_was_shifted(shift: int) -> None:
    moved = np.roll(SQUARE, shift, axis=2)
    one, other = compare_surfaces(SQUARE, moved), compare_surfaces(moved, SQUARE)
    assert one == other
    assert one.hd95 == shift
    assert (one.surface_dice == 1.0) == (shift <= 2)


def test_a_slice_that_was_missed_counts_by_the_length_of_its_outline() -> None:
    half = SQUARE.copy()
    half[2] = 0
    found = compare_surfaces(SQUARE, half)
    assert found.hd95 == 0.0, "on the shared slice they are equal"
    assert found.surface_dice == pytest.approx(2 / 3)


def test_a_false_lesion_far_away_is_told_by_the_distance() -> None:
    with_false = SQUARE.copy()
    with_false[1, 32:38, 22:28] = 1
    assert compare_surfaces(SQUARE, with_false).hd95 > 5


def test_a_lesion_up_to_the_border_of_the_image_has_an_outline_there() -> None:
    full = np.ones((1, 20, 20), np.uint8)
    less = full.copy()
    less[:, :, 15:] = 0
    found = compare_surfaces(full, less)
    assert found.hd95 == 5.0
    assert 0 < found.surface_dice < 1


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        compare_surfaces(SQUARE, SQUARE[:2])
