"""Lesions are counted as found, missed or invented."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.metrics import LesionMatch, match_lesions

SHAPE = (6, 24, 24)


def mask(*blocks: tuple[slice, slice, slice]) -> np.ndarray:
    made = np.zeros(SHAPE, np.uint8)
    for block in blocks:
        made[block] = 1
    return made


def cube(z: int, y: int, x: int, side: int = 3) -> tuple[slice, slice, slice]:
    return np.s_[z : z + 2, y : y + side, x : x + side]


def test_found_missed_and_invented_are_told_apart() -> None:
    reference = mask(cube(1, 2, 2), cube(1, 12, 12))
    predicted = mask(cube(1, 3, 3), cube(1, 2, 18))
    assert match_lesions(reference, predicted) == LesionMatch(reference=2, found=1, false=1)
    assert match_lesions(reference, predicted).sensitivity == 0.5


def test_one_voxel_is_enough_to_find_a_lesion() -> None:
    predicted = np.zeros(SHAPE, np.uint8)
    predicted[1, 3, 3] = 1
    assert match_lesions(mask(cube(1, 2, 2)), predicted) == LesionMatch(1, 1, 0)


@pytest.mark.parametrize(("gap", "expected"), [(0, LesionMatch(1, 1, 0)), (1, LesionMatch(1, 0, 1))])
def test_beside_a_lesion_counts_up_to_one_voxel_away(gap: int, expected: LesionMatch) -> None:
    reference = mask(cube(1, 5, 5))
    predicted = np.zeros(SHAPE, np.uint8)
    predicted[1, 6, 8 + gap] = 1
    assert match_lesions(reference, predicted) == expected


def test_fragments_a_voxel_apart_are_one_lesion() -> None:
    reference = mask(cube(1, 5, 2), cube(1, 5, 6))
    assert match_lesions(reference, reference).reference == 1
    assert match_lesions(mask(cube(1, 5, 2), cube(1, 5, 9)), reference).reference == 2


def test_one_prediction_over_two_lesions_finds_both() -> None:
    reference = mask(cube(1, 2, 2), cube(1, 2, 14))
    predicted = mask(np.s_[1:3, 2:5, 2:18])
    assert match_lesions(reference, predicted) == LesionMatch(2, 2, 0)


def test_a_lesion_found_in_pieces_counts_once_and_no_piece_is_false() -> None:
    reference = mask(np.s_[1:3, 5:8, 2:20])
    predicted = mask(cube(1, 5, 2, 2), cube(1, 5, 10, 2), cube(1, 5, 17, 2))
    assert match_lesions(reference, predicted) == LesionMatch(1, 1, 0)


def test_a_single_reference_voxel_is_no_lesion_and_predicting_it_is_not_false() -> None:
    speck = np.zeros(SHAPE, np.uint8)
    speck[2, 5, 5] = 1
    assert match_lesions(speck, speck) == LesionMatch(0, 0, 0)
    assert math.isnan(match_lesions(speck, speck).sensitivity)
    speck[3, 6, 6] = 1
    assert match_lesions(speck, speck) == LesionMatch(1, 1, 0)


def test_empty_masks() -> None:
    empty, full = mask(), mask(cube(1, 2, 2))
    assert match_lesions(empty, empty) == LesionMatch(0, 0, 0)
    assert match_lesions(full, empty) == LesionMatch(1, 0, 0)
    assert match_lesions(empty, full) == LesionMatch(0, 0, 1)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        match_lesions(np.zeros((1, 2, 2)), np.zeros((2, 1, 2)))


MASKS = hnp.arrays(np.uint8, (4, 9, 9), elements=st.sampled_from([0, 0, 0, 0, 0, 1]))


@given(MASKS, MASKS)
@settings(deadline=None)
def test_counts_make_sense_and_do_not_depend_on_orientation(reference: np.ndarray, predicted: np.ndarray) -> None:
    result = match_lesions(reference, predicted)
    assert 0 <= result.found <= result.reference
    assert result.false >= 0
    turned = match_lesions(reference[::-1].swapaxes(1, 2), predicted[::-1].swapaxes(1, 2))
    assert turned == result
    same = match_lesions(reference, reference)
    assert same.found == same.reference
    assert same.false == 0
