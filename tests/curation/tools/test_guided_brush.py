"""One stroke over a lesion outlines it; one with label 0 takes it away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from metseg.curation.tools import LabelEdit, Stroke, guided_brush

SHAPE = (5, 80, 90)


def ellipse(y: float, x: float, a: float, b: float) -> np.ndarray:
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1


LESION = ellipse(40, 45, 9, 18)


def image(lesion: np.ndarray = LESION, level: float = 150.0, slices: tuple[int, ...] = (1, 2, 3)) -> np.ndarray:
    rng = np.random.default_rng(0)
    voxels = np.full(SHAPE, 80.0) + rng.normal(0, 5, SHAPE)
    for z in slices:
        voxels[z][lesion] += level - 80
    return np.clip(voxels, 0, 255).astype(np.uint8)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def line(z: int = 2, radius: float = 4.0, start: tuple[int, int] = (41, 34), end: tuple[int, int] = (39, 55)) -> Stroke:
    return Stroke(np.array([(z, *start), (z, *end)], float), radius)


def applied(labels: np.ndarray, made: LabelEdit) -> np.ndarray:
    copy = labels.copy()
    made.apply(copy)
    return copy


@pytest.mark.parametrize("level", [150.0, 30.0], ids=["bright", "dark"])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.int16])
def test_where_there_is_no_network_the_image_is_outlined(level: float, kind: type) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    after = applied(labels, guided_brush(labels, image(level=level).astype(kind), None, line(), 6))
    plain = line().distance(2, (slice(0, SHAPE[1]), slice(0, SHAPE[2]))) <= 4
    assert dice(after[2] == 6, LESION) > 0.93 > dice(plain, LESION) + 0.2
    assert not after[[0, 1, 3, 4]].any()


def test_where_the_image_shows_nothing_the_contour_of_the_probability_is_taken() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    probabilities = np.zeros(SHAPE, np.float32)
    probabilities[2] = ndimage.gaussian_filter(LESION.astype(np.float32) * 0.45, 1)
    flat = np.full(SHAPE, 80, np.uint8)
    for given_ in (probabilities, np.rint(probabilities * 255).astype(np.uint8)):
        after = applied(labels, guided_brush(labels, flat, given_, line(), 1))
        assert dice(after[2] == 1, LESION) > 0.85


def test_a_stroke_through_several_slices_outlines_each_and_neighbours_follow_when_asked() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    both = Stroke(np.concatenate([line(1).points, line(2).points]), 4.0)
    after = applied(labels, guided_brush(labels, image(), None, both, 1))
    assert [dice(plane == 1, LESION) > 0.9 for plane in after[1:3]] == [True, True]
    assert not after[[0, 3, 4]].any()
    after = applied(labels, guided_brush(labels, image(), None, line(), 1, neighbours=4))
    assert [dice(plane == 1, LESION) > 0.9 for plane in after[1:4]] == [True, True, True]
    assert not after[[0, 4]].any()


def test_painting_takes_nothing_away_unless_asked_to_redraw() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    too_much = LESION | ellipse(40, 60, 14, 10)
    labels[2][too_much] = 1
    labels[2, 2:5, 2:5] = 1
    kept = applied(labels, guided_brush(labels, image(), None, line(), 1))
    assert (kept[2][too_much] == 1).all()
    redrawn = applied(labels, guided_brush(labels, image(), None, line(), 1, redraw=True))
    assert (redrawn[2, 2:5, 2:5] == 1).all()
    redrawn[2, 2:5, 2:5] = 0
    assert dice(redrawn[2] == 1, LESION) > 0.93


def test_erasing_a_false_lesion_takes_it_whole_and_a_tongue_up_to_the_lesion() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2][LESION] = 1
    tongue = ellipse(40, 68, 5, 8) & ~LESION
    labels[2][tongue] = 1
    labels[2][ellipse(14, 20, 6, 5)] = 2
    labels[1][ellipse(14, 20, 6, 5)] = 2
    false = line(radius=4.0, start=(12, 20), end=(16, 20))
    after = applied(labels, guided_brush(labels, image(), None, false, 0))
    assert not (after[2] == 2).any()
    assert (after[1] == labels[1]).all()
    assert (after[2] == 1).sum() == (labels[2] == 1).sum()
    stroke = line(radius=3.0, start=(40, 67), end=(40, 73))
    after = applied(labels, guided_brush(labels, image(), None, stroke, 0))
    assert (after[2][tongue] == 0).mean() > 0.85
    assert dice(after[2] == 1, LESION) > 0.95


def test_erasing_the_end_of_a_thin_lesion_with_a_thick_brush_leaves_the_rest() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2, 40:43, 10:80] = 1
    flat = np.full(SHAPE, 80, np.uint8)
    after = applied(labels, guided_brush(labels, flat, None, line(radius=5.0, start=(41, 14), end=(41, 16)), 0))
    assert not after[2, :, :20].any()
    assert (after[2, 40:43, 40:80] == 1).all()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-1, 5), st.floats(-20, 110), st.floats(-20, 110)), max_size=5),
    st.floats(0, 15),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 2),
)
def test_any_stroke_leaves_other_lesions_and_slices_alone(
    points: list[tuple[int, float, float]], radius: float, label: int, redraw: bool, neighbours: int
) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2][LESION] = 1
    labels[2:4, 38:42, 40:50] = 2
    labels[:, :10, :20] = 3
    stroke = Stroke(np.array(points, float).reshape(-1, 3), radius)
    original = labels.copy()
    made = guided_brush(labels, image(), None, stroke, label, redraw=redraw, neighbours=neighbours)
    after = applied(labels, made)
    assert (labels == original).all()
    changed = after != labels
    near = (
        {z + step for z in stroke.slices() for step in range(-neighbours, neighbours + 1)}
        if label
        else set(stroke.slices())
    )
    assert set(np.flatnonzero(changed.any(axis=(1, 2)))) <= near
    if label:
        assert set(np.unique(labels[changed])) <= {0, label}
        assert set(np.unique(after[changed])) <= ({0, label} if redraw else {label})
    else:
        assert not after[changed].any()
        for z in stroke.slices():
            if 0 <= z < len(labels):
                path = stroke.distance(z, (slice(0, SHAPE[1]), slice(0, SHAPE[2])))
                for other in np.unique(labels[z][changed[z]]):
                    assert (labels[z][path <= radius] == other).any()
                assert not after[z][path <= radius].any()
    assert (applied(after, made.undone) == labels).all()


def test_strokes_that_meet_nothing_do_nothing() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2][LESION] = 1
    for stroke in (Stroke(np.empty((0, 3)), 5.0), line(z=7), line(z=-1), line(start=(500, 500), end=(600, 600))):
        for label in (0, 1, 2):
            assert not guided_brush(labels, image(), None, stroke, label, redraw=True, neighbours=2)
    assert not guided_brush(labels, image(), None, line(start=(5, 5), end=(5, 20)), 0)


def test_at_the_border_and_where_the_slice_is_all_stroke() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    corner = image(ellipse(0, 0, 12, 15))
    after = applied(labels, guided_brush(labels, corner, None, line(start=(0, 0), end=(5, 6)), 1))
    assert dice(after[2] == 1, ellipse(0, 0, 12, 15)) > 0.9
    tiny = np.zeros((1, 4, 4), np.uint16)
    after = applied(tiny, guided_brush(tiny, tiny, None, Stroke(np.array([[0.0, 2, 2]]), 9.0), 1))
    assert (after == 1).all()
    after = applied(after, guided_brush(after, tiny, None, Stroke(np.array([[0.0, 2, 2]]), 9.0), 0))
    assert not after.any()


def test_what_does_not_fit_is_refused() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    with pytest.raises(ValueError, match="does not fit"):
        guided_brush(labels, image()[1:], None, line(), 1)
    with pytest.raises(ValueError, match="does not fit"):
        guided_brush(labels, image(), np.zeros((1, 2, 3), np.uint8), line(), 1)
    with pytest.raises(ValueError, match="does not fit uint16"):
        guided_brush(labels, image(), None, line(), 70000)
    with pytest.raises(ValueError, match="finite"):
        Stroke(np.array([[0, np.nan, 0]]), 3.0)
    with pytest.raises(ValueError, match="finite"):
        Stroke(np.zeros((1, 3)), -1.0)
