"""The correction tools on an open case: through the canvas, the buttons and the keys, and back again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from metseg.curation import EditKind, Project, Provenance
from metseg.napari_plugin.studio.state import Edge
from metseg.study import read_study, write_tiff

pytestmark = pytest.mark.slow


SHAPE = (8, 64, 64)
SEEN, MISSED = (20, 22), (44, 40)


def disc(place: tuple[int, int], radius: float = 7) -> np.ndarray:
    """A lesion's outline, the same in slices 1 to 6."""
    _, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    flat = np.hypot(y - place[0], x - place[1]) <= radius
    inside = np.zeros(SHAPE, bool)
    inside[1:7] = flat
    return inside


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One case with two lesions, of which the network saw one, a little too small."""
    voxels = 60 + 120.0 * (disc(SEEN) | disc(MISSED)) + np.random.default_rng(0).normal(0, 4, SHAPE)
    write_tiff(tmp_path / "head.tif", voxels.astype(np.uint8), spacing=(5.0, 1.0, 1.0))
    made = Project.create(tmp_path / "project")
    made.add(read_study(tmp_path / "head.tif"))
    probabilities = np.clip(ndimage.gaussian_filter(disc(SEEN, 6).astype(float), (0, 2, 2)), 0, 1).astype(np.float32)
    with made.open_case("head") as session:
        provenance = Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5)
        session.predict(session.plan_prediction(probabilities >= 0.5), probabilities, provenance)
    return made


class Opened:
    """A studio with its tools, on a case."""

    def __init__(self, viewer: Any, studio: Any, panel: Any, message: Any) -> None:
        self.viewer, self.studio, self.panel, self.message = viewer, studio, panel, message
        self.canvas = next(w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop")

    @property
    def labels(self) -> np.ndarray:
        """What is on the screen."""
        return np.asarray(self.studio.state.case.labels.data)

    @property
    def said(self) -> str:
        """What the widget shows of the last tool."""
        return str(self.message.refusal.text() or self.message.done.text().strip())

    def last_record(self) -> Any:
        """The newest one on the disk."""
        assert self.studio.flush()
        return list(self.studio.state.case.view.history())[-1]

    def at(self, y: float, x: float) -> QPoint:
        """Where a pixel of the shown slice is on the canvas."""
        probes = [QPoint(10, 10), QPoint(110, 60)]
        (y0, x0), (y1, x1) = (self._under(probe) for probe in probes)
        return QPoint(round(10 + 100 * (x - x0) / (x1 - x0)), round(10 + 50 * (y - y0) / (y1 - y0)))

    def _under(self, probe: QPoint) -> tuple[float, float]:
        """Row and column under a place on the canvas."""
        self.mouse(QEvent.Type.MouseMove, probe, pressed=False)
        _, y, x = self.studio.state.case.labels.world_to_data(self.viewer.cursor.position)
        return float(y), float(x)

    def press(self, key: str | Qt.Key) -> None:
        """Press a key over the canvas."""
        QTest.keyClick(self.canvas, key)

    def click(self, y: float, x: float) -> None:
        """Click on a pixel of the shown slice."""
        self.drag((y, x))

    def drag(self, *path: tuple[float, float], shift: bool = False) -> None:
        """Press at the first (y, x) of the path, move along it, let go."""
        places = [self.at(*place) for place in path]
        self.mouse(QEvent.Type.MouseButtonPress, places[0], shift=shift)
        for place in places[1:]:
            self.mouse(QEvent.Type.MouseMove, place, shift=shift)
        self.mouse(QEvent.Type.MouseButtonRelease, places[-1], shift=shift)

    def mouse(self, kind: QEvent.Type, place: QPoint, *, pressed: bool = True, shift: bool = False) -> None:
        """Send the canvas an event of the mouse, as Qt does for a real one."""
        none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
        keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        button = none if kind is QEvent.Type.MouseMove else left
        held = left if pressed and kind is not QEvent.Type.MouseButtonRelease else none
        QTest.qWait(20)  # moves that follow each other sooner are left out
        there = QPointF(self.canvas.mapToGlobal(place))
        QApplication.sendEvent(self.canvas, QMouseEvent(kind, QPointF(place), there, button, held, keys))
        QApplication.processEvents()


@pytest.fixture
def head(viewer: Any, make_studio: Callable[..., Any], patiently: Callable[..., None]) -> Opened:
    from metseg.napari_plugin.studio.tool_panel import ToolMessage, ToolPanel

    studio = make_studio(viewer)
    panel, message = ToolPanel(studio), ToolMessage(studio)
    viewer.window.add_dock_widget(panel, name="tools")
    studio.open_case("head")
    patiently(lambda: not studio.busy)
    viewer.scene.camera.zoom = 4
    studio.go_to(3, 32, 32)
    return Opened(viewer, studio, panel, message)


def test_one_stroke_over_a_missed_lesion_outlines_it(head: Opened) -> None:
    before = head.labels.copy()
    head.panel.brush.click()
    head.studio.state.case.labels.brush_size = 6
    head.drag((40, 40), (44, 40), (48, 40))
    assert overlap(head.labels[3] == 2, disc(MISSED)[3]) > 0.85
    np.testing.assert_array_equal(np.delete(head.labels, 3, axis=0), np.delete(before, 3, axis=0))
    assert head.studio.state.lesion == head.studio.state.case.labels.selected_label == 2
    record = head.last_record()
    assert record.kind is EditKind.TOOL
    wanted = {"tool": "guided brush", "lesion": 2, "radius": 3.0, "slices": [3], "redraw": False, "neighbours": 0}
    assert wanted.items() <= record.detail.items()
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)
    head.panel.redo.click()
    assert overlap(head.labels[3] == 2, disc(MISSED)[3]) > 0.85


def test_a_stroke_with_shift_or_the_eraser_takes_away(head: Opened) -> None:
    before = head.labels.copy()
    head.press("G")
    head.drag((14, 22), (20, 22), (26, 22), shift=True)
    assert not head.labels[3].any()
    assert head.last_record().detail["tool"] == "guided eraser"
    head.panel.undo.click()
    head.press("R")
    assert head.panel.eraser.isChecked()
    assert not head.panel.brush.isChecked()
    head.drag((14, 22), (20, 22), (26, 22))
    assert not head.labels[3].any()
    head.drag((60, 60), (62, 60))
    assert head.said == "The stroke touches no lesion."
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)


def test_the_path_is_shown_while_it_is_drawn_and_escape_ends_it(head: Opened) -> None:
    before, layers = head.labels.copy(), list(head.viewer.layers)
    head.press("G")
    picture = head.panel.canvas.trace
    start, end = head.at(40, 40), head.at(48, 40)
    head.mouse(QEvent.Type.MouseButtonPress, start)
    head.mouse(QEvent.Type.MouseMove, end)
    assert picture.drawn
    assert picture.values[44, 40]
    assert not picture.values[44, 54]
    np.testing.assert_array_equal(head.labels, before)
    assert list(head.viewer.layers) == layers, "it is no layer"
    head.press(Qt.Key.Key_Escape)
    head.mouse(QEvent.Type.MouseButtonRelease, end)
    np.testing.assert_array_equal(head.labels, before)
    assert not head.panel.brush.isChecked()
    assert not picture.drawn


def test_a_held_key_shows_what_grow_would_add_and_escape_leaves_it(head: Opened) -> None:
    before, picture = head.labels.copy(), head.panel.preview.picture
    head.studio.state.lesion = 1
    cross = ndimage.generate_binary_structure(2, 1)
    ring = ndimage.binary_dilation(before[3] == 1, cross) & (before[3] == 0)
    QTest.keyPress(head.canvas, Qt.Key.Key_U)
    assert picture.drawn
    np.testing.assert_array_equal(picture.values[3] > 0, ring)
    np.testing.assert_array_equal(head.labels, before)
    QTest.keyClick(head.canvas, Qt.Key.Key_Escape)
    assert not picture.drawn
    QTest.keyRelease(head.canvas, Qt.Key.Key_U)
    np.testing.assert_array_equal(head.labels, before)
    QTest.keyPress(head.canvas, Qt.Key.Key_U)
    QTest.keyRelease(head.canvas, Qt.Key.Key_U)
    np.testing.assert_array_equal(head.labels[3] != before[3], ring)
    assert not picture.drawn


def test_a_lesion_is_copied_to_the_next_slice_and_the_view_follows(head: Opened) -> None:
    head.studio.go_to(6)
    head.studio.state.lesion = 1
    QTest.keyClick(head.canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert head.studio.shown_slice == 7
    np.testing.assert_array_equal(head.labels[7] == 1, head.labels[6] == 1)
    assert head.last_record().detail == {"tool": "copy to slice", "lesion": 1, "from": 6, "slices": [7]}
    QTest.keyClick(head.canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert head.said == "There is no further slice."
    assert head.studio.shown_slice == 7


def test_brushes_draw_only_on_the_intensities_asked_for(head: Opened) -> None:
    guide = head.studio.state.case.guide
    head.panel.only.box.setChecked(True)
    head.panel.only.slider.setValue((140, 255))
    labels = head.studio.state.case.labels
    labels.mode, labels.brush_size, labels.selected_label = "paint", 30, 5
    head.drag((44, 40), (44, 44))
    drawn = head.labels == 5
    assert drawn.any()
    assert guide[drawn].min() >= 140
    assert not head.labels[3, 44, 52], "that is as near, but dark"
    labels.selected_label = 0
    head.drag((44, 40), (44, 44))
    assert not (head.labels[3] == 5).any(), "what is erased is erased whatever it looks like"
    labels.mode = "pan_zoom"
    labels.selected_label = 6
    head.panel.brush.click()
    head.drag((40, 40), (48, 40))
    assert (head.labels == 6).any()
    assert guide[head.labels == 6].min() >= 140
    assert head.last_record().detail["intensities"][0] == 140


def test_a_drag_measures_in_millimetres(head: Opened) -> None:
    before = head.labels.copy()
    head.panel.ruler.click()
    head.drag((20, 20), (20, 30), (20, 40))
    assert float(head.said.partition(" ")[0]) == pytest.approx(20, abs=0.5)
    assert head.said.endswith("mm in this slice.")
    assert head.panel.canvas.line.drawn
    np.testing.assert_array_equal(head.labels, before)
    head.press(Qt.Key.Key_Escape)
    assert not head.panel.canvas.line.drawn


def test_the_mouse_goes_back_to_napari(head: Opened) -> None:
    labels = head.studio.state.case.labels
    head.panel.brush.click()
    assert not labels.mouse_pan
    QTest.keyPress(head.canvas, Qt.Key.Key_Space)
    assert labels.mouse_pan
    QTest.keyRelease(head.canvas, Qt.Key.Key_Space)
    assert not labels.mouse_pan
    labels.mode = "paint"
    assert not head.panel.brush.isChecked()
    head.panel.brush.click()
    assert labels.mode == "pan_zoom"
    head.panel.brush.click()
    assert labels.mouse_pan
    assert labels.cursor == "standard"


def test_a_new_lesion_is_drawn_where_one_was_asked_for(head: Opened) -> None:
    head.studio.state.case.labels.selected_label = 9
    head.panel.brush.click()
    head.drag((16, 28), (24, 28))
    assert set(np.unique(head.labels[3])) == {0, 1, 9}
    assert head.studio.state.lesion == 9
    head.drag((40, 40), (48, 40))
    assert head.studio.state.lesion == 10


def test_growing_and_shrinking_move_the_edge_by_a_pixel(head: Opened) -> None:
    before = head.labels.copy()
    z, state = 3, head.panel.tools.state
    head.studio.state.lesion = 1
    head.press("U")
    grown = head.labels.copy()
    cross = ndimage.generate_binary_structure(2, 1)
    np.testing.assert_array_equal(grown[z] == 1, ndimage.binary_dilation(before[z] == 1, cross))
    np.testing.assert_array_equal(np.delete(grown, z, axis=0), np.delete(before, z, axis=0))
    assert head.last_record().detail == {"tool": "grow", "lesion": 1, "pixels": 1, "slices": [z]}
    assert head.studio.state.case.view.reviewed == {z}
    head.press("D")
    np.testing.assert_array_equal(head.labels[z] == 1, ndimage.binary_erosion(grown[z] == 1, cross))
    head.panel.undo.click()
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)
    head.panel.edge.setCurrentIndex(list(Edge).index(Edge.ALL))
    assert state.edge is Edge.ALL
    head.panel.grow.click()
    everywhere = head.labels == 1
    for plane, was in zip(everywhere, before == 1, strict=True):
        np.testing.assert_array_equal(plane, ndimage.binary_dilation(was, cross))
    assert head.last_record().detail == {"tool": "grow", "lesion": 1, "pixels": 1}
    assert "a pixel is 1 mm" in head.panel.edge.toolTip()
    for _ in range(SHAPE[1]):
        head.panel.shrink.click()
    assert "Nothing would remain of it" in head.said
    assert (head.labels == 1).any()


def test_growing_and_shrinking_follow_the_contour(head: Opened) -> None:
    before = head.labels.copy()
    head.panel.tools.state.edge = Edge.CONTOUR
    head.panel.grow.click()
    assert head.said == "Select a lesion first: click on it in the table."
    head.studio.state.lesion = 1
    head.press("U")
    grown = head.labels.copy()
    assert ((grown == 1) >= (before == 1)).all()
    assert (grown > 0).sum() >= 1.15 * (before > 0).sum()
    assert head.last_record().detail == {"tool": "grow", "lesion": 1, "step": 0.15}
    head.press("D")
    assert (head.labels > 0).sum() < (grown > 0).sum()
    assert head.last_record().detail["tool"] == "shrink"
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, grown)
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)


def test_the_slices_between_two_drawn_ones_are_filled(head: Opened, patiently: Callable[..., None]) -> None:
    head.panel.brush.click()
    for z in (2, 5):
        head.studio.go_to(z, 32, 32)
        head.drag((40, 40), (44, 40), (48, 40))
    head.studio.go_to(1, 32, 32)
    head.press("I")
    patiently(lambda: not head.studio.busy)
    assert head.said == "Draw or correct the lesion in a slice before this one first."
    before = head.labels.copy()
    head.studio.go_to(3, 32, 32)
    head.press("I")
    patiently(lambda: not head.studio.busy)
    for z in (3, 4):
        assert overlap(head.labels[z] == 2, disc(MISSED)[z]) > 0.8
    assert head.last_record().detail == {
        "tool": "interpolate",
        "lesion": 2,
        "first": 2,
        "last": 5,
        "network": False,
    }
    head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)


def test_lesions_are_split_joined_renumbered_and_removed(head: Opened) -> None:
    tools, state = head.panel.tools, head.studio.state
    before = head.labels.copy()
    state.lesion = 1
    head.panel.split.click()
    head.click(60, 60)
    assert head.said == "There is no lesion here; click into the lesion that is to be split."
    head.click(16, 22)
    head.click(24, 22)
    assert set(np.unique(head.labels)) == {0, 1, 2}
    assert head.labels[3, 16, 22] == 1
    assert head.labels[3, 24, 22] == 2
    assert not head.panel.split.isChecked()
    detail = head.last_record().detail
    assert (detail["tool"], detail["first"], detail["second"], detail["new"]) == ("split", [3, 16, 22], [3, 24, 22], 2)
    tools.state.chosen = (2, 1)
    head.panel.merge.click()
    np.testing.assert_array_equal(head.labels, 2 * (before > 0))
    assert head.last_record().detail == {"tool": "merge", "lesions": [2, 1]}
    tools.relabel(2, 7)
    np.testing.assert_array_equal(head.labels, 7 * (before > 0))
    assert state.lesion == 7
    tools.state.chosen = (7,)
    head.press(Qt.Key.Key_Delete)
    assert not head.labels.any()
    assert head.last_record().detail == {"tool": "delete", "lesions": [7]}
    for _ in range(4):
        head.panel.undo.click()
    np.testing.assert_array_equal(head.labels, before)


def test_a_case_that_is_only_looked_at_is_left_alone(head: Opened, patiently: Callable[..., None]) -> None:
    head.studio.open_case("head", read_only=True)
    patiently(lambda: head.studio.state.case is not None and head.studio.state.case.session is None)
    assert not head.panel.brush.isEnabled()
    before = head.labels.copy()
    head.press("G")
    head.drag((40, 40), (48, 40))
    np.testing.assert_array_equal(head.labels, before)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Dice."""
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))
