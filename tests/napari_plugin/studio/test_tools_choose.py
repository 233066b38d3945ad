"""What the tools act on when nobody says it: the lesion under a stroke, the slices to interpolate between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project
from metseg.curation.tools import Stroke, ToolError
from metseg.napari_plugin.studio.drawn_slices import drawn_slices, slices_round
from metseg.napari_plugin.studio.stroke_target import lesion_under
from metseg.study import read_study, write_tiff


def volume(**lesions: tuple[int, slice]) -> np.ndarray:
    """Labels (4, 20, 20): lesion ``l3`` in a slice and some rows, all columns."""
    labels = np.zeros((4, 20, 20), np.uint16)
    for name, (z, rows) in lesions.items():
        labels[z, rows] = int(name[1:])
    return labels


def stroke(z: float = 1, radius: float = 2) -> Stroke:
    return Stroke(np.array([[z, 8, 4], [z, 8, 12]]), radius)


@pytest.mark.parametrize(
    ("labels", "selected", "meant"),
    [
        (volume(), 0, 0),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(10, 12))), 0, 2),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(10, 12))), 3, 3),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(15, 18))), 3, 2),
        (volume(l4=(2, slice(7, 10)), l5=(3, slice(7, 10))), 0, 4),
        (volume(l4=(0, slice(7, 10)), l2=(1, slice(10, 11))), 0, 2),
        (volume(l5=(3, slice(7, 10))), 0, 0),
        (volume(l5=(3, slice(7, 10))), 5, 5),
        (volume(l5=(3, slice(12, 14))), 5, 0),
    ],
)
def test_a_stroke_belongs_to_the_lesion_under_it(labels: np.ndarray, selected: int, meant: int) -> None:
    assert lesion_under(labels, stroke(), selected) == meant


def test_a_stroke_beyond_the_volume_belongs_to_nothing() -> None:
    labels = np.ones((4, 20, 20), np.uint16)
    assert lesion_under(labels, Stroke(np.array([[1.0, -30, -30], [7, 8, 8]]), 2)) == 0


def test_slices_that_a_person_drew_are_known_from_the_journal(tmp_path: Path) -> None:
    write_tiff(tmp_path / "head.tif", np.zeros((9, 12, 12), np.uint8))
    project = Project.create(tmp_path / "project")
    project.add(read_study(tmp_path / "head.tif"))
    with project.open_case("head") as session:
        labels = session.labels.copy()

        def draw(where: slice, lesion: int, kind: EditKind, **detail: object) -> None:
            labels[where, session.summary.records] = lesion
            session.commit(labels, kind, detail=detail)

        draw(slice(0, 9), 1, EditKind.IMPORT)
        draw(slice(2, 3), 1, EditKind.STROKE)
        draw(slice(5, 8), 1, EditKind.TOOL, tool="guided brush", slices=[6])
        draw(slice(4, 5), 2, EditKind.POLYGON)
        draw(slice(3, 4), 1, EditKind.TOOL, tool="grow")
        assert drawn_slices(session.history(), 1) == {2, 6}
        assert drawn_slices(session.history(), 2) == {4}
        draw(slice(3, 7), 1, EditKind.TOOL, tool="interpolate")
        assert drawn_slices(session.history(), 1) == {2}


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
