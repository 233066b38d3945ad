"""A lesion is copied to another slice, and a change is kept to the intensities asked for."""

from __future__ import annotations

import numpy as np
import pytest

from metseg.curation.tools import ToolError, copy_slice, dilate, within_range


@pytest.fixture
def labels() -> np.ndarray:
    """Lesion 1 in slices 1 and 2, smaller in 2; lesion 2 in slice 2 beside it."""
    made = np.zeros((4, 12, 14), np.uint16)
    made[1, 2:8, 2:8] = 1
    made[2, 2:4, 9:11] = 1
    made[2, 6:9, 6:9] = 2
    return made


def test_the_other_slice_has_the_lesion_as_it_is_here_and_other_lesions_stay(labels: np.ndarray) -> None:
    before = labels.copy()
    copy_slice(labels, 1, 1, 2).apply(labels)
    np.testing.assert_array_equal(labels[2] == 2, before[2] == 2)
    np.testing.assert_array_equal(labels[2] == 1, (before[1] == 1) & (before[2] != 2))
    np.testing.assert_array_equal(labels[[0, 1, 3]], before[[0, 1, 3]])
    assert not copy_slice(labels, 1, 1, 2), "it is so there already"


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [(1, 4, "no further slice"), (1, -1, "no further slice"), (3, 2, "is not in this slice")],
)
def test_what_cannot_be_copied_is_said(labels: np.ndarray, source: int, target: int, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        copy_slice(labels, 1, source, target)


def test_a_change_draws_only_on_the_range_and_erases_everywhere(labels: np.ndarray) -> None:
    image = np.zeros(labels.shape)
    image[:, :, :5] = 100
    before = labels.copy()
    grown = within_range(labels, dilate(labels, 1, z=1), image, 50, 150)
    grown.apply(labels)
    new = (labels == 1) & (before != 1)
    assert new.any()
    assert (image[new] == 100).all()
    erased = within_range(labels, dilate(before, 1, z=1).undone, image, 50, 150)
    erased.apply(labels)
    np.testing.assert_array_equal(labels, before)
