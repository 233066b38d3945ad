"""A lesion's edge moves by one pixel, in one slice or in all, and never into another lesion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from metseg.curation.tools import ToolError, dilate, erode

CROSS = ndimage.generate_binary_structure(3, 1)
CROSS[0] = CROSS[2] = False
BLOCK = np.zeros((3, 3, 3), bool)
BLOCK[1] = True


@pytest.fixture
def labels() -> np.ndarray:
    """Lesion 1 in slices 1 to 3, at the volume's edge in slice 3; lesion 2 beside it in slice 2."""
    made = np.zeros((5, 20, 24), np.uint16)
    made[1, 5:9, 5:9] = made[2, 4:10, 4:10] = made[3, 0:6, 4:8] = 1
    made[2, 4:10, 12:16] = 2
    return made


def test_a_pixel_is_added_all_around_but_not_beside_another_lesion(labels: np.ndarray) -> None:
    before = labels.copy()
    dilate(labels, 1).apply(labels)
    near = ndimage.binary_dilation(before == 2, BLOCK)
    np.testing.assert_array_equal(labels == 1, (before == 1) | (ndimage.binary_dilation(before == 1, CROSS) & ~near))
    np.testing.assert_array_equal(labels == 2, before == 2)
    again = labels.copy()
    dilate(again, 1).apply(again)
    assert not (ndimage.binary_dilation(again == 1, BLOCK) & (again == 2)).any(), "a pixel stays between them"


def test_one_slice_alone_is_changed(labels: np.ndarray) -> None:
    before = labels.copy()
    for tool in (dilate, erode):
        changed = before.copy()
        tool(changed, 1, z=2).apply(changed)
        assert (changed[2] != before[2]).any()
        np.testing.assert_array_equal(np.delete(changed, 2, axis=0), np.delete(before, 2, axis=0))


def test_a_pixel_is_taken_away_all_around_also_at_the_edge_of_the_image(labels: np.ndarray) -> None:
    before = labels.copy()
    erode(labels, 1).apply(labels)
    np.testing.assert_array_equal(labels == 1, ndimage.binary_erosion(before == 1, CROSS))
    np.testing.assert_array_equal(labels == 2, before == 2)


def test_a_lesion_goes_from_a_slice_but_never_altogether(labels: np.ndarray) -> None:
    erode(labels, 1, z=1).apply(labels)
    erode(labels, 1, z=1).apply(labels)
    assert not (labels[1] == 1).any()
    while change := erode(labels, 1):
        change.apply(labels)
    assert (labels == 1).any()
    assert not erode(labels, 1)


def test_a_lesion_that_is_not_there_is_named(labels: np.ndarray) -> None:
    with pytest.raises(ToolError, match="there is no lesion 7"):
        dilate(labels, 7)
    with pytest.raises(ToolError, match="lesion 1 is not in this slice"):
        erode(labels, 1, z=4)
