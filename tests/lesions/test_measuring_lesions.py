"""Each lesion is measured; what needs a spacing stays unknown without one."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from metseg.lesions import (
    Lesion,
    Side,
    find_midline,
    label_lesions,
    lesion_table_csv,
    measure,
    sum_of_target_diameters,
)


def one(mask: np.ndarray, **known: object) -> Lesion:
    (lesion,) = measure(label_lesions(mask), **known)  # type: ignore[arg-type]
    return lesion


def block() -> np.ndarray:
    """Slices 1 to 2, rows 3 to 5, columns 2 to 5: 24 voxels."""
    mask = np.zeros((5, 9, 9), np.uint8)
    mask[1:3, 3:6, 2:6] = 1
    return mask


def test_a_block_is_measured_as_by_hand() -> None:
    lesion = one(block(), spacing=(5.0, 0.5, 0.5))
    assert lesion.id == 1
    assert lesion.slices == (1, 2)
    assert lesion.n_voxels == 24
    assert lesion.volume_mm3 == pytest.approx(24 * 5 * 0.25)
    assert lesion.centroid == pytest.approx((1.5, 4.0, 3.5))
    assert lesion.diameter_px == pytest.approx(np.hypot(4, 2))
    assert lesion.diameter_mm == pytest.approx(np.hypot(4, 2) / 2)
    assert lesion.mean_probability is None
    assert not lesion.touches_border


def test_without_a_spacing_millimetres_are_unknown() -> None:
    lesion = one(block())
    assert lesion.volume_mm3 is None
    assert lesion.diameter_mm is None
    assert lesion.diameter_px > 0


@pytest.mark.parametrize(
    ("rows", "columns", "expected"), [([4], [4], 1.0), ([4] * 5, range(2, 7), 5.0), (range(2, 7), [4] * 5, 5.0)]
)
def test_one_pixel_is_one_wide_and_five_in_a_row_are_five(rows: list[int], columns: list[int], expected: float) -> None:
    mask = np.zeros((1, 9, 9), np.uint8)
    mask[0, list(rows), list(columns)] = 1
    assert one(mask).diameter_px == pytest.approx(expected)


def test_pixels_that_are_not_square_are_measured_along_each_side() -> None:
    mask = np.zeros((1, 9, 9), np.uint8)
    mask[0, 2:7, 4] = 1
    assert one(mask, spacing=(3.0, 2.0, 1.0)).diameter_mm == pytest.approx(10.0)
    assert one(mask.swapaxes(1, 2), spacing=(3.0, 2.0, 1.0)).diameter_mm == pytest.approx(5.0)


def test_the_diameter_is_that_of_the_widest_slice_not_across_slices() -> None:
    mask = np.zeros((3, 20, 20), np.uint8)
    mask[0, 5, 5] = 1
    mask[1, 6, 6:9] = 1
    mask[2, 7, 9] = 1
    assert one(mask).diameter_px == pytest.approx(3.0)


def test_a_disc_is_as_wide_as_its_diameter() -> None:
    y, x = np.mgrid[:64, :64]
    disc = (np.hypot(y - 32, x - 31) <= 20)[None]
    assert one(disc, spacing=(1.0, 0.5, 0.5)).diameter_mm == pytest.approx(20.5, abs=0.3)


@given(hnp.arrays(bool, st.tuples(st.just(1), st.integers(1, 24), st.integers(1, 24))))
@settings(deadline=None)
def test_the_diameter_agrees_with_every_pair_of_pixels(mask: np.ndarray) -> None:
    edges = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
    labels = label_lesions(mask)
    for lesion in measure(labels):
        pixels = np.argwhere(labels[0] == lesion.id)
        points = (pixels[:, None] + edges).reshape(-1, 2)
        assert lesion.diameter_px == pytest.approx(pdist(points).max())


@pytest.mark.parametrize("place", [(0, 4, 4), (4, 4, 4), (2, 0, 4), (2, 8, 4), (2, 4, 0), (2, 4, 8)])
def test_a_lesion_on_any_face_touches_the_border(place: tuple[int, int, int]) -> None:
    mask = np.zeros((5, 9, 9), np.uint8)
    mask[place] = 1
    assert one(mask).touches_border


def test_mean_probability_is_over_the_lesion_only() -> None:
    probabilities = np.full((5, 9, 9), 0.1, np.float32)
    probabilities[1, 3:6, 2:6] = 0.9
    probabilities[2, 3:6, 2:6] = 0.7
    assert one(block(), probabilities=probabilities).mean_probability == pytest.approx(0.8)


def test_touching_labels_are_measured_apart_and_missing_numbers_are_passed_over() -> None:
    labels = np.zeros((3, 5, 8), np.int32)
    labels[1, 2, 1:4] = 2
    labels[1, 2, 4:6] = 5
    assert [(lesion.id, lesion.n_voxels) for lesion in measure(labels)] == [(2, 3), (5, 2)]


def test_no_lesions_give_no_rows() -> None:
    assert measure(np.zeros((3, 4, 4), np.int32)) == []


def test_volumes_add_up_to_the_mask() -> None:
    mask = np.random.default_rng(1).random((6, 20, 20)) > 0.9
    lesions = measure(label_lesions(mask), spacing=(2.0, 1.0, 1.0))
    assert sum(lesion.n_voxels for lesion in lesions) == mask.sum()
    assert sum(lesion.volume_mm3 or 0 for lesion in lesions) == pytest.approx(2.0 * mask.sum())


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, float("nan"))])
def test_a_spacing_that_is_none_is_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        measure(label_lesions(block()), spacing=spacing)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        measure(label_lesions(block()), probabilities=np.zeros((5, 9, 8), np.float32))
    with pytest.raises(ValueError, match=r"\(z, y, x\)"):
        measure(np.zeros((4, 4), np.int32))


def test_a_thousand_lesions_are_measured_within_a_second_of_cpu(runs_within) -> None:
    labels = np.zeros((60, 256, 256), np.int32)
    grid = [(z, y, x) for z in range(2, 58, 6) for y in range(4, 250, 25) for x in range(4, 250, 25)]
    for number, (z, y, x) in enumerate(grid, start=1):
        labels[z : z + 3, y : y + 18, x : x + 18] = number
    known = {"spacing": (3.0, 1.0, 1.0), "probabilities": np.ones(labels.shape, np.float32)}
    assert len(measure(labels, **known)) == 1000
    runs_within(1.5, lambda: measure(labels, **known))


def test_the_table_has_a_line_per_lesion_and_leaves_the_unknown_empty() -> None:
    mask = block()
    mask[4, 8, 8] = 1
    rows = list(csv.DictReader(io.StringIO(lesion_table_csv(measure(label_lesions(mask))))))
    assert [row["lesion"] for row in rows] == ["1", "2"]
    assert rows[0]["first_slice"] == "1"
    assert rows[0]["last_slice"] == "2"
    assert rows[0]["voxels"] == "24"
    assert rows[0]["volume_mm3"] == rows[0]["diameter_mm"] == rows[0]["mean_probability"] == ""
    assert float(rows[0]["diameter_px"]) == pytest.approx(np.hypot(4, 2), abs=0.01)
    assert [row["touches_border"] for row in rows] == ["no", "yes"]


def test_the_table_of_a_known_spacing_is_in_millimetres() -> None:
    lesions = measure(label_lesions(block()), spacing=(5.0, 0.5, 0.5), probabilities=np.full((5, 9, 9), 0.75))
    (row,) = csv.DictReader(io.StringIO(lesion_table_csv(lesions)))
    assert float(row["volume_mm3"]) == pytest.approx(30.0)
    assert float(row["mean_probability"]) == pytest.approx(0.75)
    assert (row["centroid_z"], row["centroid_y"], row["centroid_x"]) == ("1.50", "4.00", "3.50")


def test_a_table_without_lesions_is_its_header() -> None:
    assert lesion_table_csv([]).splitlines()[0].startswith("lesion,first_slice")
    assert len(lesion_table_csv([]).splitlines()) == 1


def test_a_voxel_of_absurd_proportions_still_has_a_diameter() -> None:
    mask = np.zeros((1, 60, 60), np.uint8)
    mask[0, 5:50, 5:50] = 1
    lesion = measure(label_lesions(mask), spacing=(1.0, 1e-20, 1.0))[0]
    assert lesion.diameter_mm == pytest.approx(45, abs=1e-9)
    assert lesion.diameter_px == pytest.approx(np.hypot(45, 44), abs=0.01)


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.1])
def test_an_ellipse_has_its_two_axes(turn: float) -> None:
    y, x = np.mgrid[:80, :80] - 40.0
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    disc = np.zeros((3, 80, 80), np.uint8)
    disc[0, 40, 40] = 1
    disc[1] = (along / 30) ** 2 + (across / 12) ** 2 <= 1
    lesion = one(disc, spacing=(2.0, 0.5, 0.5))
    assert lesion.diameter_mm == pytest.approx(30, abs=0.6)
    assert lesion.perpendicular_mm == pytest.approx(12, abs=0.6)
    assert lesion.diameter_slice == 1
    assert lesion.slice_spacing_mm == 2.0


@given(hnp.arrays(bool, st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 20))))
@settings(deadline=None)
def test_the_perpendicular_is_never_longer_than_the_diameter(mask: np.ndarray) -> None:
    for lesion in measure(label_lesions(mask), spacing=(1.0, 0.7, 1.3)):
        assert lesion.diameter_mm is not None
        assert lesion.perpendicular_mm is not None
        assert 0.4 < lesion.perpendicular_mm <= lesion.diameter_mm + 1e-9


@pytest.mark.parametrize(
    ("size", "step", "expected"),
    [
        ((2, 6, 10), 1.0, True),
        ((2, 10, 7), 1.0, True),
        ((2, 3, 10), 1.0, False),  # 10.1 mm long, less than 5 across
        ((1, 10, 10), 1.0, False),  # on one slice
        ((2, 6, 7), 1.0, False),  # 9 mm long
        ((2, 10, 10), 7.0, False),  # slices of 7 mm: it must be 14 mm long
        ((2, 13, 13), 7.0, True),
    ],
)
def test_measurable_is_what_rano_bm_asks_for(size: tuple[int, int, int], step: float, expected: bool) -> None:
    mask = np.zeros((4, 30, 30), np.uint8)
    mask[1 : 1 + size[0], 5 : 5 + size[1], 5 : 5 + size[2]] = 1
    assert one(mask, spacing=(step, 1.0, 1.0)).measurable is expected
    assert one(mask).measurable is None


def test_the_sum_is_of_the_five_longest_measurable_lesions() -> None:
    mask = np.zeros((4, 200, 60), np.uint8)
    for place, length in enumerate((10, 12, 14, 16, 18, 20, 6)):
        mask[1:3, 25 * place + 5 : 25 * place + 15, 5 : 5 + length] = 1
    lesions = measure(label_lesions(mask), spacing=(1.0, 1.0, 1.0))
    longest = sorted((lesion.diameter_mm or 0 for lesion in lesions), reverse=True)
    assert sum_of_target_diameters(lesions) == pytest.approx(sum(longest[:5]))
    assert sum_of_target_diameters([]) == 0
    assert sum_of_target_diameters(measure(label_lesions(mask))) is None


@pytest.mark.parametrize("orientation", ["LPS", "RPS", "PIR", "LIP"])
def test_sides_are_the_patients_whatever_the_order_of_voxels(orientation: str) -> None:
    head = np.zeros((40, 48, 60), np.uint8)  # x runs to the left, and the head is not in the middle of the image
    head[5:35, 5:40, 10:50] = 200
    mask = np.zeros(head.shape, np.uint8)
    mask[20, 20, 12], mask[20, 20, 30], mask[30, 20, 48] = 1, 1, 1
    turned = {"RPS": lambda a: a[:, :, ::-1], "PIR": lambda a: a.transpose(2, 0, 1)[::-1, ::-1]}
    turned["LIP"] = lambda a: a.transpose(1, 0, 2)[:, ::-1]
    volumes = [turned.get(orientation, np.asarray)(volume) for volume in (head, mask)]
    midline = find_midline(np.asarray(volumes[0]), orientation, (1.0, 1.0, 1.0))
    lesions = measure(label_lesions(np.ascontiguousarray(volumes[1])), spacing=(1.0, 1.0, 1.0), midline=midline)
    sides = {lesion.side for lesion in lesions}
    assert sides == {Side.RIGHT, Side.MIDLINE, Side.LEFT}
    assert midline is not None
    left = np.zeros_like(mask)
    left[20, 20, 48] = 1
    place = np.argwhere(turned.get(orientation, np.asarray)(left))[0]
    assert midline.side_of((float(place[0]), float(place[1]), float(place[2]))) is Side.LEFT


def test_sides_are_unknown_without_an_orientation() -> None:
    assert find_midline(np.ones((4, 4, 4)), None, (1.0, 1.0, 1.0)) is None
    assert one(block(), spacing=(1.0, 1.0, 1.0)).side is None


def test_what_surrounds_a_lesion_is_connected_with_it_and_nearest_to_it() -> None:
    labels = np.zeros((1, 9, 30), np.int32)
    labels[0, 4, 5], labels[0, 4, 15], labels[0, 4, 27] = 1, 2, 3
    around = np.zeros(labels.shape, np.uint8)
    around[0, 4, 3:17] = 1  # from 3 to 16, over both lesions: 3, 4, 6 to 10 are nearest to the first
    around[0, 0, 20:24] = 1  # connected with none
    first, second, third = measure(labels, spacing=(4, 2, 1), surrounding=around)
    assert (first.surrounding_voxels, second.surrounding_voxels, third.surrounding_voxels) in ((7, 5, 0), (6, 6, 0))
    assert first.surrounding_voxels is not None
    assert first.surrounding_mm3 == first.surrounding_voxels * 8
    assert measure(labels, surrounding=around)[0].surrounding_mm3 is None
    assert measure(labels)[0].surrounding_voxels is None


def test_surroundings_of_another_shape_are_refused() -> None:
    labels = np.ones((1, 4, 4), np.int32)
    with pytest.raises(ValueError, match="does not fit"):
        measure(labels, surrounding=np.ones((1, 4, 5), np.uint8))
