"""Lesions are counted by size, found, missed and false."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.metrics import SizeClass, match_by_size, match_lesions, pool_sizes


def head() -> tuple[np.ndarray, np.ndarray]:
    """True: a 3 x 3 lesion that is missed and a 12 x 12 one that is found. False: a 7 x 7 one."""
    reference, predicted = np.zeros((4, 60, 60), np.uint8), np.zeros((4, 60, 60), np.uint8)
    reference[1:3, 5:8, 5:8] = 1
    reference[1, 30:34, 30:34] = 1
    reference[2, 30:42, 30:42] = 1
    predicted[2, 32:40, 32:40] = 1
    predicted[1, 10:17, 45:52] = 1
    return reference, predicted


def counts(classes: tuple[SizeClass, ...]) -> list[tuple[int, int, int]]:
    return [(row.reference, row.found, row.false) for row in classes]


def test_the_largest_cross_section_decides_the_size() -> None:
    small, middle, large, larger, largest = match_by_size(*head())
    assert (small.smallest, small.largest) == (None, 5.0)
    assert counts((small,)) == [(1, 0, 0)], "3 x 3 pixels: 3.4 px"
    assert counts((middle,)) == [(0, 0, 1)], "7 x 7 pixels: 7.9 px"
    assert counts((large,)) == [(1, 1, 0)], "12 x 12 pixels: 13.5 px"
    assert counts((larger, largest)) == [(0, 0, 0), (0, 0, 0)]
    assert (largest.smallest, largest.largest) == (40.0, None)
    assert large.sensitivity == 1.0
    assert np.isnan(middle.sensitivity)


def test_empty_masks_have_no_lesion_of_any_size() -> None:
    empty = np.zeros((2, 9, 9), np.uint8)
    full = np.ones((2, 9, 9), np.uint8)
    assert counts(match_by_size(empty, empty)) == [(0, 0, 0)] * 5
    assert counts(match_by_size(full, empty)) == [(0, 0, 0), (0, 0, 0), (1, 0, 0), (0, 0, 0), (0, 0, 0)]
    assert counts(match_by_size(empty, full)) == [(0, 0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 0)]
    with pytest.raises(ValueError, match="different shapes"):
        match_by_size(empty, empty[:1])


def test_patients_are_pooled_class_by_class() -> None:
    classes = match_by_size(*head())
    assert counts(pool_sizes([classes, classes, classes])) == [tuple(3 * n for n in row) for row in counts(classes)]
    with pytest.raises(ValueError, match="differ"):
        pool_sizes([classes, match_by_size(*head(), edges=(1.0, 2.0, 3.0, 4.0))])


MASKS = hnp.arrays(np.uint8, (3, 9, 9), elements=st.sampled_from([0, 0, 0, 0, 1]))


@given(MASKS, MASKS)
def test_the_classes_add_up_to_what_is_counted_without_sizes(reference: np.ndarray, predicted: np.ndarray) -> None:
    classes = match_by_size(reference, predicted, edges=(1.5, 2.5))
    whole = match_lesions(reference, predicted)
    assert tuple(np.sum(counts(classes), axis=0)) == (whole.reference, whole.found, whole.false)
