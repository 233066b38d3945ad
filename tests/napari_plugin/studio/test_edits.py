"""Whatever changes the labels reaches the journal once, with the right kind and voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Provenance, Status
from metseg.curation.tools import Stroke, guided_brush
from metseg.curation.tools.change import change
from metseg.errors import DataError
from metseg.napari_plugin.studio.case_labels import CaseLabels, Edit
from metseg.napari_plugin.studio.state import Saved

pytestmark = pytest.mark.slow


Wait = Callable[..., None]
SHAPE = (6, 48, 40)


def _polygon(layer: Any) -> None:
    layer.paint_polygon([[2, 5, 5], [2, 5, 20], [2, 20, 20]], 4)


def _block_of_paint(layer: Any) -> None:
    with layer.block_history():
        layer.paint((1, 10, 10), 1)
        layer.paint((1, 12, 14), 1)


def _assign(layer: Any) -> None:
    layer.data = np.where(layer.data == 0, 7, layer.data)


def _write(layer: Any) -> None:
    layer.data[1, 4:6, 7:9] = 3
    layer.refresh()


EDITS: dict[str, tuple[Callable[[Any], object], EditKind]] = {
    "brush": (lambda layer: layer.paint((1, 10, 10), 2), EditKind.STROKE),
    "several dabs": (_block_of_paint, EditKind.STROKE),
    "eraser": (lambda layer: layer.paint((3, 20, 20), 0), EditKind.STROKE),
    "fill": (lambda layer: layer.fill((3, 20, 20), 5), EditKind.FILL),
    "polygon": (_polygon, EditKind.POLYGON),
    "a program": (
        lambda layer: layer.data_setitem((np.array([0, 5]), np.array([1, 40]), np.array([2, 30])), 9),
        EditKind.OTHER,
    ),
    "assignment": (_assign, EditKind.OTHER),
    "writing into the array": (_write, EditKind.OTHER),
}


@pytest.mark.parametrize("visible", [True, False], ids=["shown", "hidden"])
@pytest.mark.parametrize("name", EDITS)
def test_every_kind_of_edit_and_its_undo(
    name: str, visible: bool, studio: Any, project: Project, records: Any, patiently: Wait
) -> None:
    layer = studio.state.case.labels
    layer.data[3, 15:25, 15:25] = 1
    assert studio.flush()
    layer.visible = visible
    before = layer.data.copy()
    edit, kind = EDITS[name]
    edit(layer)
    after = layer.data.copy()
    assert not np.array_equal(before, after)
    patiently(lambda: studio.state.commits == 2, 20)
    np.testing.assert_array_equal(project.read_case("ada").labels, after)
    if name != "writing into the array":  # which napari's undo knows nothing of
        layer.undo()
        np.testing.assert_array_equal(layer.data, before)
        assert studio.flush()
        np.testing.assert_array_equal(project.read_case("ada").labels, before)
        layer.redo()
        np.testing.assert_array_equal(layer.data, after)
        assert studio.flush()
    kinds = [record.kind for record in records(studio.state.case.view)]
    steps = [EditKind.UNDO, EditKind.REDO] if name != "writing into the array" else []
    assert kinds == [EditKind.OTHER, kind, *steps]
    np.testing.assert_array_equal(project.read_case("ada").labels, after)
    assert studio.state.status is Status.CORRECTED
    assert studio.state.saved is Saved.SAVED


@pytest.mark.parametrize(
    ("mode", "kind"), [("paint", EditKind.STROKE), ("erase", EditKind.STROKE), ("fill", EditKind.FILL)]
)
def test_a_drag_of_the_mouse_is_one_record_at_its_end(
    mode: str, kind: EditKind, studio: Any, records: Any, drag: Any, patiently: Wait, qapp: Any
) -> None:
    layer = studio.state.case.labels
    layer.data[2, :, :] = 1
    studio.flush()
    layer.mode, layer.selected_label, layer.brush_size = mode, 2, 4
    seen: list[int] = []

    def look() -> None:
        layer.refresh()
        qapp.processEvents()
        studio.flush()
        seen.append(len(records(studio.state.case.view)))

    drag(layer, [(2, 10, 10), (2, 12, 20), (2, 30, 22)], between=look)
    assert seen == [1, 1], "the stroke was not complete"
    patiently(lambda: studio.state.commits == 2, 20)
    assert [record.kind for record in records(studio.state.case.view)] == [EditKind.OTHER, kind]
    np.testing.assert_array_equal(studio.state.case.view.labels, layer.data)
    assert (layer.data[2] == 1).any() or mode == "fill"
    layer.undo()
    assert (layer.data[2] == 1).all(), "one drag, one step"


def test_a_drag_that_is_broken_off_is_kept(studio: Any, project: Project, records: Any) -> None:
    layer = studio.state.case.labels
    stroke = layer.block_history()
    stroke.__enter__()
    layer.paint((1, 10, 10), 1)
    assert layer.drawing
    stroke.gen.close()
    assert not layer.drawing
    assert studio.flush()
    np.testing.assert_array_equal(project.read_case("ada").labels, layer.data)
    assert [record.kind for record in records(studio.state.case.view)] == [EditKind.STROKE]


def test_undo_after_an_assignment_brings_back_what_was_there(studio: Any) -> None:
    layer = studio.state.case.labels
    layer.paint((1, 10, 10), 1)
    drawn = layer.data.copy()
    new = np.zeros(SHAPE, np.int64)
    new[4, 3:9, 3:9] = 300
    layer.data = new
    assert layer.data.dtype == np.uint16
    np.testing.assert_array_equal(layer.data, new)
    new[:] = 1
    assert not (layer.data == 1).any(), "the layer has an array of its own"
    layer.undo()
    np.testing.assert_array_equal(layer.data, drawn)
    layer.undo()
    assert not layer.data.any()


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 2, 3), np.uint16), np.zeros(SHAPE, np.float32), np.full(SHAPE, 70000), np.full(SHAPE, -1)]
)
def test_what_is_no_label_is_refused(wrong: np.ndarray, studio: Any) -> None:
    layer = studio.state.case.labels
    layer.paint((1, 10, 10), 1)
    before = layer.data.copy()
    with pytest.raises(DataError, match="labels"):
        layer.data = wrong
    np.testing.assert_array_equal(layer.data, before)


def test_edits_are_told_in_the_smallest_box(qapp: Any) -> None:
    layer = CaseLabels(np.zeros(SHAPE, np.uint16))
    told: list[Edit] = []
    layer.edited.connect(told.append)
    layer.brush_size = 1
    layer.paint((2, 7, 9), 3)
    layer.paint((2, 7, 9), 3)
    layer.undo()
    layer.undo()
    layer.check()
    assert [(edit.kind, edit.start, edit.block.tolist()) for edit in told] == [
        (EditKind.STROKE, (2, 7, 9), [[[3]]]),
        (EditKind.UNDO, (2, 7, 9), [[[0]]]),
    ]


def test_a_tool_is_one_step_and_one_record(studio: Any, records: Any) -> None:
    case = studio.state.case
    before = case.labels.data.copy()
    stroke = Stroke(points=np.array([(2.0, 20.0, 10.0), (2.0, 20.0, 25.0)]), radius=3.0)
    found = guided_brush(case.labels.data, case.guide, None, stroke, 1)
    studio.apply(found, {"tool": "brush", "radius": 3.0})
    after = case.labels.data.copy()
    assert not np.array_equal(after, before)
    studio.flush()
    [record] = records(case.view)
    assert (record.kind, record.detail) == (EditKind.TOOL, {"tool": "brush", "radius": 3.0})
    case.labels.undo()
    np.testing.assert_array_equal(case.labels.data, before)
    with pytest.raises(DataError, match="JSON"):
        studio.apply(found, {"tool": object()})
    with case.labels.block_history(), pytest.raises(DataError, match="stroke"):
        studio.apply(found)
    studio.flush()
    studio.close_case()
    with pytest.raises(DataError, match="no case"):
        studio.apply(change(before, (slice(0, 1),) * 3, before[:1, :1, :1]))


def test_a_models_result_is_one_step_and_keeps_what_was_drawn(
    studio: Any, records: Any, project: Project, patiently: Wait
) -> None:
    case = studio.state.case
    case.labels.paint((1, 10, 10), 1)
    drawn = case.labels.data.copy()
    mask = np.zeros(SHAPE, bool)
    mask[1, 8:14, 8:14] = mask[4, 20:30, 20:30] = True
    provenance = Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5)
    assert studio.flush()
    plan = case.view.plan_prediction(mask)
    assert (plan.kept, plan.left_out, len(plan.added)) == ((1,), 1, 1)
    studio.take_over(plan, mask * np.float32(0.8), provenance, {"device": "cpu"})
    taken = case.labels.data.copy()
    patiently(lambda: studio.state.case.prediction is not None and not studio.busy, 20)
    assert studio.state.case.prediction.provenance == provenance
    np.testing.assert_array_equal(taken[1], drawn[1])
    assert (taken[4, 20:30, 20:30] == 2).all()
    case.labels.undo()
    np.testing.assert_array_equal(case.labels.data, drawn)
    assert studio.flush()
    found = records(case.view)
    assert [record.kind for record in found] == [EditKind.STROKE, EditKind.MODEL, EditKind.UNDO]
    assert found[1].prediction.provenance == provenance
    assert found[1].detail == {"device": "cpu"}
    np.testing.assert_array_equal(project.read_case("ada").labels, drawn)
    with pytest.raises(DataError, match="edited while the network was at work"):
        studio.take_over(plan, mask * np.float32(0.8), provenance)
    with pytest.raises(DataError, match="between 0 and 1"):
        studio.take_over(case.view.plan_prediction(mask), mask * np.float32(1.2), provenance)
    np.testing.assert_array_equal(case.labels.data, drawn)


def test_a_result_that_changes_nothing_is_kept_all_the_same(studio: Any, records: Any) -> None:
    nothing = np.zeros(SHAPE, np.float32)
    provenance = Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5)
    studio.take_over(studio.state.case.view.plan_prediction(nothing), nothing, provenance)
    assert studio.flush()
    assert [record.kind for record in records(studio.state.case.view)] == [EditKind.MODEL]
    assert studio.state.status is Status.PREDICTED
    assert studio.state.case.prediction is not None
