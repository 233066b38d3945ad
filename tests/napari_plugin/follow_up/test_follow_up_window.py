"""Two examinations in a real window: side by side, linked, compared, and the earlier outlines to start from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from napari.components import ViewerModel
from qtpy.QtCore import QTimer

from metseg.errors import DataError
from metseg.lesions import Target
from metseg.napari_plugin import outlines
from metseg.napari_plugin.follow_up.linking import LinkedViewers
from metseg.napari_plugin.follow_up.look import EARLIER_OUTLINES, LESION_NUMBERS
from metseg.napari_plugin.follow_up.work import number_places
from metseg.napari_plugin.layers import is_auxiliary
from metseg.napari_plugin.state import Activity
from metseg.study import Geometry, Sequence, Study, write_volume
from metseg.synthetic import LesionSpec, synthetic_study

pytestmark = pytest.mark.slow

Wait = Callable[..., None]

#: By how many voxels (y, x) the head lies elsewhere the second time.
_SHIFT = (3, -4)
#: Lesions as (z, y, x), radius and seed: one grows, one goes, one comes.
_GROWING, _GOING, _COMING = (12, 24, 22), (14, 40, 42), (10, 38, 24)
_BEFORE = ((*_GROWING, 6, 1), (*_GOING, 6, 2))
_AFTER = ((*_GROWING, 9, 1), (*_COMING, 6, 3))


def _head(name: str, lesions: tuple[tuple[int, ...], ...], shift: tuple[int, int] = (0, 0)) -> Study:
    specs = [
        LesionSpec(kind="solid", centre=centre, radius=radius, oedema=1, irregularity=0.2, seed=seed)
        for *centre, radius, seed in lesions
    ]
    made = synthetic_study(5, slices=24, size=64, target=Target.ENHANCING_LESION, lesions=specs)
    z, y, x = made.geometry.spacing or (1.0, 1.0, 1.0)
    assert made.mask is not None
    voxels, mask = (np.roll(volume, shift, axis=(-2, -1)) for volume in (made.voxels[2:], made.mask))
    return Study(name, voxels, (Sequence.POST,), mask, Geometry.placed(np.diag([-x, -y, z, 1.0])))


def _written(folder: Path, study: Study, *, mask: bool = True) -> Path:
    folder.mkdir()
    write_volume(folder / f"{study.name}_t1c.nii.gz", study.voxels[0], study)
    if mask and study.mask is not None:
        write_volume(folder / f"{study.name}_mask.nii.gz", study.mask, study)
    return folder


@pytest.fixture(scope="module")
def examinations(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Folders of an earlier examination, of a later one, and of the later one without outlines."""
    folder = tmp_path_factory.mktemp("examinations")
    later = _head("later", _AFTER, _SHIFT)
    return (
        _written(folder / "1", _head("earlier", _BEFORE)),
        _written(folder / "2", later),
        _written(folder / "3", later, mask=False),
    )


@pytest.fixture
def open_both(viewer: Any, patiently: Wait) -> Callable[[Path, Path], Any]:
    """Open the widget from napari's menu of plugins, and two examinations in it."""

    def open_them(earlier: Path, later: Path) -> Any:
        _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Follow-up")
        for point, path in ((widget.state.earlier, earlier), (widget.state.later, later)):
            widget.controller.open(point, path)
            patiently(lambda: not widget.controller.busy)
        return widget

    return open_them


def _compare(widget: Any, patiently: Wait) -> Any:
    assert widget.examinations.compare.isEnabled(), widget.state.obstacle
    widget.examinations.compare.click()
    assert widget.state.activity is Activity.RUNNING
    patiently(lambda: not widget.controller.busy)
    assert widget.state.comparison is not None, widget.state.notices
    return widget.state.comparison


def _line(widget: Any, number: int) -> list[str]:
    table = widget.changes.table
    lines = [table.topLevelItem(place) for place in range(table.topLevelItemCount())]
    (found,) = [line for line in lines if line.number == number]
    return [found.text(column) for column in range(table.columnCount())]


def test_examinations_are_compared_side_by_side(
    viewer: Any, open_both: Callable[..., Any], examinations: tuple[Path, ...], patiently: Wait
) -> None:
    widget = open_both(*examinations[:2])
    opened = list(viewer.layers)
    ticks: list[int] = []
    clock = QTimer()
    clock.timeout.connect(lambda: ticks.append(1))
    clock.start(5)
    comparison = _compare(widget, patiently)
    clock.stop()
    assert len(ticks) > 5, "the window's events were handled meanwhile"
    result = comparison.result

    moved = np.roll(_head("x", _BEFORE).mask, _SHIFT, axis=(1, 2)) > 0
    carried = result.carried > 0
    assert 2 * (carried & moved).sum() / (carried.sum() + moved.sum()) > 0.95
    growing, going, coming = (
        int(labels[z, y + _SHIFT[0], x + _SHIFT[1]])
        for labels, (z, y, x) in (
            (result.labels_after, _GROWING),
            (result.carried, _GOING),
            (result.labels_after, _COMING),
        )
    )
    assert sorted((growing, going, coming)) == [1, 2, 3]
    assert [_line(widget, number)[1] for number in (growing, going, coming)] == ["grown", "gone", "new"]
    assert _line(widget, going)[2].endswith("→ –")
    assert widget.changes.response.text() == "Progressive disease"

    view = widget.controller.view
    assert view.shown
    assert [layer.name for layer in viewer.layers if layer.visible and not is_auxiliary(layer)] == [
        "post · later",
        "mask · later",
    ]
    np.testing.assert_array_equal(view.model.layers[EARLIER_OUTLINES].data, result.carried)
    for model in (viewer, view.model):
        letters = [overlay.text for key, overlay in model.canvas.overlays.items() if key.startswith("metseg_side")]
        assert letters == ["A", "P", "R", "L"]

    table = widget.changes.table
    places = {table.topLevelItem(row).number: row for row in range(table.topLevelItemCount())}
    for number, (z, y, x) in ((coming, _COMING), (growing, _GROWING)):
        table.setCurrentItem(table.topLevelItem(places[number]))
        layer = view.model.layers[EARLIER_OUTLINES]
        for model in (viewer, view.model):
            here = np.array(layer.world_to_data(model.dims.point))
            assert np.abs(here - (z, y + _SHIFT[0], x + _SHIFT[1])).max() < 2.5
    viewer.scene.camera.zoom = 7
    assert view.model.scene.camera.zoom == 7

    patiently(lambda: not widget.controller.busy)
    assert not widget.state.outdated
    widget.state.later.outline.data_setitem((np.array([5]), np.array([30]), np.array([30])), [1])
    patiently(lambda: widget.state.outdated)
    widget.state.later.outline.undo()
    patiently(lambda: not widget.state.outdated)

    widget.changes.beside.setChecked(False)
    assert not view.shown
    viewer.window.remove_dock_widget(widget)
    assert list(viewer.layers) == opened
    assert all(layer.visible for layer in opened)


def test_what_helps_to_see_is_neither_edited_nor_saved_and_goes_with_the_view(
    viewer: Any, open_both: Callable[..., Any], examinations: tuple[Path, ...], patiently: Wait, tmp_path: Path
) -> None:
    widget = open_both(*examinations[:2])
    opened = list(viewer.layers)
    _compare(widget, patiently)
    helpers = [layer for layer in viewer.layers if layer not in opened]
    assert [layer.name for layer in helpers] == [EARLIER_OUTLINES, LESION_NUMBERS]
    assert viewer.layers.selection.active not in helpers
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        assert not any(layer.editable for layer in helpers)
    with pytest.raises(DataError, match="only helps to see"):
        helpers[0].save(str(tmp_path / "outlines.nii.gz"), plugin="napari-metseg")
    assert not list(tmp_path.iterdir())
    _compare(widget, patiently)
    assert len(viewer.layers) == len(opened) + len(helpers)
    overlays = set(viewer.canvas.overlays)
    viewer.window.remove_dock_widget(widget)
    assert list(viewer.layers) == opened
    assert {key for key in overlays - set(viewer.canvas.overlays) if key.startswith("metseg")} >= {"metseg_cursor"}


def test_cancel_stops_the_registration(
    viewer: Any,
    open_both: Callable[..., Any],
    examinations: tuple[Path, ...],
    patiently: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, cancelled, ended = Event(), Event(), Event()
    stopped: list[bool] = []

    class Watched(sitk.ImageRegistrationMethod):
        """Registers, and says what happens; waits in its first iteration until Cancel was pressed."""

        def AddCommand(self, event: int, command: Callable[[], None]) -> int:
            def in_iteration() -> None:
                begun.set()
                cancelled.wait(60)
                command()

            return int(super().AddCommand(event, in_iteration))

        def StopRegistration(self) -> bool:
            stopped.append(super().StopRegistration())
            return stopped[-1]

        def Execute(self, *images: Any) -> Any:
            try:
                return super().Execute(*images)
            finally:
                ended.set()

    widget = open_both(*examinations[:2])
    monkeypatch.setattr(sitk, "ImageRegistrationMethod", Watched)
    widget.examinations.compare.click()
    patiently(begun.is_set)
    assert widget.state.activity is Activity.RUNNING
    widget.examinations.work.cancel.click()
    assert widget.state.activity is Activity.IDLE
    cancelled.set()
    patiently(ended.is_set)
    assert stopped == [True]

    monkeypatch.undo()
    _compare(widget, patiently)


def test_correction_starts_from_the_earlier_outlines(
    viewer: Any, open_both: Callable[..., Any], examinations: tuple[Path, ...], patiently: Wait, tmp_path: Path
) -> None:
    widget = open_both(examinations[0], examinations[2])
    assert widget.state.later.outline is None
    first = _compare(widget, patiently)
    assert not first.outlined
    assert widget.changes.response.text() == "Not outlined yet"
    widget.changes.start.click()
    layer = viewer.layers.selection.active
    assert layer == widget.state.later.outline
    assert layer.editable
    np.testing.assert_array_equal(layer.data, first.result.carried)
    assert not outlines.is_reference(layer)
    assert not outlines.is_edited(layer)
    layer.data_setitem(np.nonzero(layer.data == 1), 0)
    assert outlines.is_edited(layer)
    assert outlines.origin_of(layer, 3, 0) == "carried from earlier, edited by hand in 3 slices"
    layer.save(str(tmp_path / "corrected.nii.gz"), plugin="napari-metseg")
    about = json.loads((tmp_path / "corrected.json").read_text(encoding="utf-8"))
    assert about["carried_from"] == "earlier"
    assert about["registration"]["matrix"] == [list(row) for row in first.result.transform.rows]

    second = _compare(widget, patiently)
    assert second.result.transform is first.result.transform, "what was registered is not registered again"
    assert [_line(widget, number)[1] for number in (1, 2)] == ["gone", "unchanged"]


def test_a_comparison_can_be_cancelled_and_one_that_fails_says_why(
    viewer: Any, open_both: Callable[..., Any], examinations: tuple[Path, ...], patiently: Wait
) -> None:
    widget = open_both(*examinations[:2])
    widget.examinations.compare.click()
    widget.examinations.work.cancel.click()
    assert widget.state.activity is Activity.IDLE
    assert widget.state.comparison is None
    widget.state.later.image.metadata["metseg-sequences"] = (Sequence.T2,)
    widget.examinations.compare.click()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.comparison is None
    assert "no sequence is in both examinations" in widget.examinations.problem.text()


def test_slice_zoom_and_cursor_of_one_viewer_are_those_of_the_other() -> None:
    first, second = ViewerModel(), ViewerModel()
    for viewer in (first, second):
        viewer.add_image(np.zeros((20, 30, 30)), scale=(3, 1, 1), units=("mm",) * 3)
    link = LinkedViewers(first, second)
    second.dims.set_point(0, 12.0)
    assert first.dims.point[0] == 12
    first.dims.order = (1, 0, 2)
    first.scene.camera.zoom = 3
    first.scene.camera.center = (0.0, 10.0, 7.0)
    second.canvas.size = 300, 200
    first.cursor.position = (12.0, 4.0, 5.0)
    assert second.dims.order == (1, 0, 2)
    assert second.scene.camera.zoom == 3
    there, here = link.cursor_in(second), link.cursor_in(first)
    assert there.visible
    assert not here.visible
    middle = 300 / 2 + 3 * (12 - 10), 200 / 2 + 3 * (5 - 7)  # y and x of the canvas; z and x are shown
    np.testing.assert_allclose(np.mean(there.position, axis=0), middle)
    first.scene.camera.zoom = 6
    np.testing.assert_allclose(np.mean(there.position, axis=0), (150 + 12, 100 - 12))
    assert [layer.name for layer in second.layers] == ["Image"]
    link.close()
    first.dims.set_point(0, 3)
    assert second.dims.point[0] == 12
    assert "metseg_cursor" not in {*first.canvas.overlays, *second.canvas.overlays}


def test_numbers_stand_at_the_upper_right_of_a_lesion_in_each_slice() -> None:
    labels = np.zeros((3, 8, 8), int)
    labels[0, 2:5, 1:4], labels[1, 4, 2], labels[1, 6:8, 5:7] = 2, 2, 7
    places, numbers = number_places(labels)
    assert numbers.tolist() == [2, 2, 7]
    assert places.tolist() == [[0, 2, 3], [1, 4, 2], [1, 6, 6]]
