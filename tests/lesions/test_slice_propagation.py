"""Lesions go on where the image does, and nowhere else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metseg.lesions import SlicePropagation, propagate_slices

Volume = npt.NDArray[np.float32]

#: Slices that hold the lesion; the network finds it on the first of them only.
LESION, FOUND = range(3, 7), range(3, 5)


@pytest.fixture
def head() -> tuple[Volume, npt.NDArray[np.bool_]]:
    """A head, float32 (c, z, y, x), with a disc on a few slices that is bright on the first channel alone."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    disc = np.zeros((10, 96, 96), bool)
    disc[LESION.start : LESION.stop] = (y - 40) ** 2 + (x - 50) ** 2 < 12**2
    brain = np.where((y - 48) ** 2 + (x - 48) ** 2 < 40**2, 0.4, 0.0)
    planes = np.stack([brain + 0.3 * disc, brain + 0 * disc])
    return np.asarray(planes + rng.normal(0, 0.03, planes.shape) * (planes > 0), np.float32), disc


def drawn_on(disc: npt.NDArray[np.bool_], slices: range) -> Volume:
    probabilities = np.full(disc.shape, 0.01, np.float32)
    probabilities[slices.start : slices.stop][disc[slices.start : slices.stop]] = 0.97
    return probabilities


def dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("turned", [False, True])
def test_a_lesion_goes_on_as_far_as_the_image_does(head: tuple[Volume, npt.NDArray[np.bool_]], turned: bool) -> None:
    image, disc = head
    probabilities = drawn_on(disc, FOUND)
    if turned:
        image, disc, probabilities = image[:, ::-1], disc[::-1], probabilities[::-1]
    before = probabilities.copy()
    continued = propagate_slices(probabilities, lambda z: image[:, z], SlicePropagation())
    np.testing.assert_array_equal(probabilities, before)
    assert dice(before > 0.5, disc) < 0.7
    assert dice(continued > 0.5, disc) > 0.85
    np.testing.assert_array_equal((continued > 0.5).any(axis=(1, 2)), disc.any(axis=(1, 2)))
    assert (continued >= before).all()
    assert continued.dtype == np.float32


def test_a_gap_is_filled(head: tuple[Volume, npt.NDArray[np.bool_]]) -> None:
    image, disc = head
    probabilities = drawn_on(disc, LESION)
    probabilities[4] = 0.01
    continued = propagate_slices(probabilities, lambda z: image[:, z], SlicePropagation())
    assert dice(continued[4] > 0.5, disc[4]) > 0.85


def test_what_is_drawn_already_stays_as_it_is(head: tuple[Volume, npt.NDArray[np.bool_]]) -> None:
    image, disc = head
    probabilities = drawn_on(disc, LESION)
    probabilities[4, 40:] = 0.01
    continued = propagate_slices(probabilities, lambda z: image[:, z], SlicePropagation())
    np.testing.assert_array_equal(continued, probabilities)


def test_nothing_goes_on_where_lesions_look_like_the_rest(head: tuple[Volume, npt.NDArray[np.bool_]]) -> None:
    image, disc = head
    flat = np.repeat(image[1:], 2, axis=0)
    probabilities = drawn_on(disc, FOUND)
    np.testing.assert_array_equal(
        propagate_slices(probabilities, lambda z: flat[:, z], SlicePropagation()), probabilities
    )


@pytest.mark.parametrize("slices", [range(0), range(3, 4)])
def test_one_channel_few_slices_and_nothing_drawn(head: tuple[Volume, npt.NDArray[np.bool_]], slices: range) -> None:
    image, disc = head
    probabilities = drawn_on(disc, slices)[3:4]
    continued = propagate_slices(probabilities, lambda z: image[:1, z + 3], SlicePropagation())
    np.testing.assert_array_equal(continued, probabilities)


def test_a_lesion_of_a_few_voxels_is_not_carried_on(head: tuple[Volume, npt.NDArray[np.bool_]]) -> None:
    image, disc = head
    probabilities = drawn_on(disc, FOUND)
    probabilities[8, 60:64, 60:64] = 0.97
    continued = propagate_slices(
        probabilities, lambda z: np.full_like(image[:, z], 0.7), SlicePropagation(separation=0.5)
    )
    assert not (continued[9] > 0.5).any()
