"""Slices are shown in the head's proportions, lesions where they are, clicks where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metseg.study.geometry import Geometry
from metseg.web.pictures import FIRST, Frame, Lesions, Marking, Window, draw, draw_mask
from metseg.web.planes import Plane, Region, drawn_steps, fullest, head_region

_SHAPE = (7, 40, 30)
_REGION = Region(((0, 7), (4, 36), (5, 28)))


@given(st.sampled_from(Plane), st.integers(0, 6), st.integers(4, 35), st.integers(5, 27))
def test_a_click_finds_the_voxel_that_is_drawn_there(plane: Plane, z: int, y: int, x: int) -> None:
    at = (z, y, x)
    found = _REGION.locate(plane, _REGION.place(plane, at))
    assert found == {axis: at[axis] for axis in range(3) if axis != plane.axis}


@given(st.sampled_from(Plane), st.integers(0, 6), st.integers(4, 35), st.integers(5, 27))
def test_a_voxel_is_seen_where_the_page_says_it_is(plane: Plane, z: int, y: int, x: int) -> None:
    volume = np.zeros(_SHAPE, np.int32)
    volume[z, y, x] = 1
    frame = Frame(plane, _REGION, (5.0, 1.0, 1.0), side=320)
    picture = draw_mask(frame, Lesions(volume), (z, y, x)[plane.axis])
    down, across = _REGION.place(plane, (z, y, x))
    height, width = picture.shape[:2]
    assert picture[int(down * height), int(across * width)].tolist() == [255, 255, 255]


def test_thick_slices_are_drawn_thick() -> None:
    steps = (5.0, 1.0, 1.0)
    frame = Frame(Plane.CORONAL, Region(((0, 7), (0, 40), (0, 30))), steps, side=350)
    assert frame.resized(np.zeros((7, 30), np.uint8)).shape == (350, 300)


def test_unknown_spacing_stays_unknown_and_is_only_drawn() -> None:
    assert drawn_steps(Geometry(), (20, 200, 200)) == (7.0, 1.0, 1.0)
    assert drawn_steps(Geometry.spaced((3, 0.5, 0.5)), (20, 200, 200)) == (3.0, 0.5, 0.5)


@pytest.mark.parametrize("filled", [False, True])
def test_lesions_are_marked_where_they_are_and_nowhere_else(filled: bool) -> None:
    labels = np.zeros((1, 64, 64), np.int32)
    labels[0, 20:40, 24:44] = 1
    frame = Frame(Plane.AXIAL, Region(((0, 1), (0, 64), (0, 64))), drawn_steps(Geometry(), (1, 64, 64)), side=256)
    gray = np.full((64, 64), 100, np.uint8)
    picture = draw(frame, gray, 0, [Lesions(labels)], Marking(1.0, filled=filled))
    coloured = (picture != 100).any(axis=2)
    rows, columns = coloured.nonzero()
    assert (rows.min(), columns.min()) == pytest.approx((80, 96), abs=3)
    assert (rows.max(), columns.max()) == pytest.approx((160, 176), abs=3)
    assert coloured[120, 136] == filled
    assert np.abs(picture.astype(int) - FIRST).sum(axis=2).min() < 60


def test_the_window_makes_black_and_white_of_its_ends() -> None:
    assert Window(level=100, width=50).apply(np.array([[0, 75, 100, 125, 999]])).tolist() == [[0, 0, 128, 255, 255]]


def test_air_is_left_out_but_no_lesion_is() -> None:
    voxels = np.zeros((1, 3, 100, 100), np.uint8)
    voxels[:, :, 30:70, 20:60] = 200
    mask = np.zeros((3, 100, 100), np.uint8)
    mask[1, 90:95, 40:50] = 1
    (_, depth), (top, bottom), (left, right) = head_region(voxels, mask).bounds
    assert depth == 3
    assert 20 < top <= 30
    assert bottom >= 95
    assert 10 < left <= 20
    assert 60 <= right < 70


def test_the_page_looks_first_where_most_lesion_is() -> None:
    mask = np.zeros(_SHAPE, np.uint8)
    mask[2, 5:9, 7] = 1
    mask[4, 6, 3:9] = 1
    assert fullest(mask) == [4, 6, 7]
    assert fullest(np.zeros(_SHAPE, np.uint8)) == [3, 20, 15]
