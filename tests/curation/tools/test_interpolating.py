"""Interpolating between two corrected slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metseg.curation.tools import ToolError, interpolate, slices_round

SHAPE = (9, 64, 64)


def disc(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def applied(labels: np.ndarray, made: object) -> np.ndarray:
    copy = labels.copy()
    made.apply(copy)
    return copy


PLACES = st.floats(20, 44)
RADII = st.floats(4, 16)


@settings(max_examples=30)
@example(20.0, 40.0, 9.0, 31.5, 20.0, 4.0, 3)
@given(PLACES, PLACES, RADII, PLACES, PLACES, RADII, st.integers(2, 8))
def test_between_two_discs_lie_discs_of_areas_in_between(
    y0: float, x0: float, r0: float, y1: float, x1: float, r1: float, last: int
) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0][disc(y0, x0, r0)] = 4
    labels[last][disc(y1, x1, r1)] = 4
    after = applied(labels, interpolate(labels, 4, 0, last))
    areas = (after[: last + 1] == 4).sum(axis=(1, 2))
    small, large = sorted((areas[0], areas[-1]))
    slack = 2 * np.pi * 16 * 0.5  # half a pixel all round the largest disc
    assert (areas >= small - slack).all()
    assert (areas <= large + slack).all()
    for z in range(1, last):
        share = z / last
        expected = disc(y0 + share * (y1 - y0), x0 + share * (x1 - x0), r0 + share * (r1 - r0))
        found = after[z] == 4
        assert (found & expected).sum() * 2 >= 0.75 * (found.sum() + expected.sum())
    assert (after[last + 1 :] == 0).all()


def test_nested_convex_shapes_contain_and_are_contained() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[1, 24:40, 20:44] = 1
    labels[5, 28:36, 28:36] = 1
    after = applied(labels, interpolate(labels, 1, 5, 1))
    for below, above in zip(after[1:5], after[2:6], strict=True):
        assert (below >= above).all()
        assert below.sum() > above.sum()


def test_a_lesion_that_wanders_does_not_vanish() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0][disc(20, 12, 5)] = labels[4][disc(44, 52, 5)] = 1
    after = applied(labels, interpolate(labels, 1, 0, 4))
    assert (after[2] == disc(32, 32, 5)).mean() > 0.99
    assert after[2].sum() > 60


def test_only_what_lies_between_is_replaced_and_other_lesions_stay() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2][disc(32, 32, 10)] = labels[5][disc(32, 32, 10)] = 1
    labels[3, 2:6, 2:6] = 1
    labels[3, 30:60, 30:34] = 2
    after = applied(labels, interpolate(labels, 1, 2, 5))
    assert not (after[3, 2:6, 2:6]).any()
    assert (after[labels == 2] == 2).all()
    assert (after[[0, 1, 2, 5, 6, 7, 8]] == labels[[0, 1, 2, 5, 6, 7, 8]]).all()
    assert after[3, 32, 28] == 1
    assert after[4, 32, 32] == 1


def test_the_network_moves_the_edge_where_it_is_sure_and_no_more() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0][disc(32, 32, 10)] = labels[2][disc(32, 32, 10)] = 1
    probabilities = np.zeros(SHAPE, np.uint8)
    probabilities[1][disc(32, 38, 10)] = 255
    plain = applied(labels, interpolate(labels, 1, 0, 2))[1] == 1
    moved = applied(labels, interpolate(labels, 1, 0, 2, probabilities))[1] == 1
    centre = np.argwhere(plain).mean(axis=0), np.argwhere(moved).mean(axis=0)
    assert 1 < centre[1][1] - centre[0][1] < 6
    assert not (moved & ~disc(32, 38, 10.5) & ~plain).any()


def test_borders_and_neighbouring_slices() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, :6, :6] = labels[8, :10, :10] = 1
    after = applied(labels, interpolate(labels, 1, 0, 8))
    assert (after[:, 0, 0] == 1).all()
    assert (np.diff((after == 1).sum(axis=(1, 2))) >= 0).all()
    assert not interpolate(after, 1, 3, 4)
    assert not interpolate(after, 1, 3, 3)


def test_both_slices_must_be_there_and_show_the_lesion() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, :6, :6] = 1
    with pytest.raises(ToolError, match="lesion 1 is not in both slices"):
        interpolate(labels, 1, 0, 4)
    with pytest.raises(ToolError, match="no slice of index 9"):
        interpolate(labels, 1, 0, 9)


@pytest.mark.parametrize(
    ("shown", "present", "drawn", "ends"),
    [
        (4, range(10), {1, 3, 6, 8}, (3, 6)),
        (3, range(10), {1, 3, 6}, (1, 6)),
        (4, {2, 3, 7}, set(), (3, 7)),
        (4, {2, 3, 7}, {2, 9}, (2, 7)),
    ],
)
def test_interpolation_lies_between_the_nearest_drawn_slices(
    shown: int, present: range | set[int], drawn: set[int], ends: tuple[int, int]
) -> None:
    assert slices_round(shown, present, drawn) == ends


@pytest.mark.parametrize(("shown", "side"), [(0, "before"), (9, "after"), (1, "before")])
def test_interpolation_needs_a_drawn_slice_on_either_side(shown: int, side: str) -> None:
    with pytest.raises(ToolError, match=side):
        slices_round(shown, range(10), {1, 5})
