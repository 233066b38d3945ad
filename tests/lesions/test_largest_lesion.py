"""Where the largest lesion is largest."""

from __future__ import annotations

import numpy as np

from metseg.lesions import largest_lesion_centre


def test_of_two_lesions_the_larger_one_is_found_in_its_fullest_slice() -> None:
    mask = np.zeros((6, 30, 30), np.uint8)
    mask[1, 2:8, 2:8] = 1  # the fullest slice of all, of the smaller lesion
    mask[3, 15:19, 15:19] = 1
    mask[4, 15:20, 15:20] = 1
    mask[5, 15:19, 15:19] = 1
    assert largest_lesion_centre(mask) == (4.0, 17.0, 17.0)


def test_without_lesion_there_is_no_place() -> None:
    assert largest_lesion_centre(np.zeros((2, 4, 4), bool)) is None
