"""The studio in a real window: it opens from the menu, shows what is going on, gives everything back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from metseg.curation import EditKind, Project, Status
from metseg.napari_plugin.studio.shortcuts import Shortcut, Shortcuts, taken_by_napari
from metseg.napari_plugin.studio.state import Tab
from metseg.napari_plugin.studio.viewing import moved_window

Wait = Callable[..., None]


@pytest.fixture
def widget(viewer: Any, project: Project, patiently: Wait) -> Iterator[Any]:
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio = widget.studio
    studio.find_networks = lambda: None
    studio.open_project(project.path)
    patiently(lambda: studio.state.project is not None)
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    yield widget
    widget.close_session()


def test_the_header_says_what_is_open_and_whether_it_is_saved(
    widget: Any, project: Project, patiently: Wait, tmp_path: Path
) -> None:
    header, studio = widget.project, widget.studio
    assert header.project.toolTip() == str(project.path)
    assert (header.case.text(), header.status.text()) == ("ada", "to do")
    assert header.saved.text.text() == "All changes saved"
    studio.state.case.labels.paint((1, 10, 10), 1)
    assert header.saved.text.text() in ("Saving …", "All changes saved")
    patiently(lambda: header.status.text() == "corrected")
    assert header.saved.text.text() == "All changes saved"
    away = project.path.rename(tmp_path / "away")
    studio.state.case.labels.paint((2, 10, 10), 1)
    patiently(lambda: header.saved.text.text().startswith("NOT saved"))
    assert "the folder is gone" in header.saved.text.text()
    assert not header.saved.again.isHidden()
    away.rename(project.path)
    header.saved.again.click()
    patiently(lambda: header.saved.text.text() == "All changes saved")
    assert header.saved.again.isHidden()
    assert header.dismiss.isHidden() is False
    header.dismiss.click()
    assert header.messages.isHidden()
    np.testing.assert_array_equal(project.read_case("ada").labels, studio.state.case.labels.data)


def test_someone_elses_case_is_offered_to_be_looked_at(widget: Any, project: Project, patiently: Wait) -> None:
    header, studio = widget.project, widget.studio
    with project.open_case("bob", annotator="rater 2"):
        studio.open_case("bob")
        patiently(lambda: studio.state.refused)
        assert "rater 2" in header.refused.text()
        assert not header.look.isHidden()
        header.look.click()
        patiently(lambda: studio.state.case is not None)
    assert header.saved.text.text().startswith("Read only")
    assert header.look.isHidden()
    studio.open_case("ada")
    patiently(lambda: studio.state.case is not None)
    assert studio.state.editable


def test_a_stroke_of_the_right_button_is_one_record(
    widget: Any, viewer: Any, drag: Any, records: Any, patiently: Wait
) -> None:
    studio = widget.studio
    layer = studio.state.case.labels
    layer.mode, layer.brush_size = "paint", 3
    viewer.dims.set_current_step(0, 2)
    corner = [(2, 10, 10), (2, 10, 30), (2, 30, 30), (2, 30, 10), (2, 20, 10), (2, 10, 10)]
    drag(layer, corner[:1], button=2)
    assert layer.drawing
    assert studio.flush()
    assert records(studio.state.case.view) == []
    from napari.utils.interactions import mouse_move_callbacks

    for place in corner[1:]:
        move = drag.event(layer, "mouse_move", place, 2)
        move.is_dragging = False
        mouse_move_callbacks(layer, move)
    assert not layer.drawing
    patiently(lambda: studio.state.commits == 1)
    assert [record.kind for record in records(studio.state.case.view)] == [EditKind.STROKE]
    assert layer.data[2, 20, 20] == 1
    drag(layer, [(2, 40, 5)], button=2)
    assert layer.drawing
    layer.mode = "pan_zoom"
    assert not layer.drawing
    assert layer.data[2, 40, 5] == 0
    studio.set_status(Status.APPROVED)
    patiently(lambda: studio.state.status is Status.APPROVED)
    assert len(records(studio.state.case.view)) == 1


def test_keys_work_on_the_labels_too_and_are_given_back(widget: Any, viewer: Any, patiently: Wait) -> None:
    studio = widget.studio
    layer = studio.state.case.labels
    key = KeyBinding.from_str("N")
    assert key in viewer.keymap
    assert key in layer.keymap
    layer.keymap[key](layer)
    assert layer.mode == "paint"
    keys = [shortcut.key for shortcut in studio.shortcuts]
    assert len(set(keys)) == len(keys)
    assert set(keys) >= {"A", "J", "H", "G", "R", "S", "T", "N", "K"}
    studio.open_case("bob")
    patiently(lambda: not studio.busy)
    assert key in studio.state.case.labels.keymap
    widget.close_session()
    assert key not in viewer.keymap
    assert not layer.keymap
    assert studio.shortcuts == ()


def test_the_first_steps_light_up_one_after_the_other(
    viewer: Any, project: Project, patiently: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metseg.napari_plugin.studio import project_panel

    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio, steps = widget.studio, widget.steps
    studio.find_networks = lambda: None

    def lit() -> list[Any]:
        return [one for one in (steps.make, steps.predict, steps.review) if one.objectName() == "primary"]

    assert (steps.step, lit()) == (1, [steps.make])
    assert not steps.predict.isEnabled()
    assert steps.predict.toolTip() == "Open a project first."
    assert not steps.review.isEnabled()
    assert widget.tools.isHidden()
    assert widget.lesions.isHidden()
    assert widget.queue.buttons.isHidden()
    monkeypatch.setattr(project_panel, "ask_folder", lambda *_: project.path)
    steps.open.click()
    patiently(lambda: studio.state.project is not None and not studio.busy)
    assert steps.step == 2
    assert not steps.predict.isEnabled(), "there is no network"
    assert steps.review.isEnabled()
    steps.review.click()
    patiently(lambda: studio.state.case is not None and not studio.busy)
    assert steps.step == 2
    assert steps.predict.text() == "Predict this case"
    assert not widget.tools.isHidden()
    assert not widget.queue.buttons.isHidden()
    studio.state.case.labels.paint((1, 10, 10), 1)
    patiently(lambda: studio.state.status is Status.CORRECTED)
    assert (steps.step, steps.isHidden()) == (0, True)
    assert studio.close_case()
    patiently(lambda: not studio.busy)
    assert (steps.step, lit()) == (3, [steps.review])
    assert not widget.tools.isHidden(), "nothing jumps between two cases"
    widget.close_session()


def test_what_a_tool_says_is_seen_whichever_tab_is_in_front(widget: Any, patiently: Wait) -> None:
    press = {shortcut.key: shortcut.action for shortcut in widget.studio.shortcuts}
    for tab in Tab:
        widget.tabs.setCurrentIndex(list(Tab).index(tab))
        assert widget.studio.state.tab is tab
        widget.studio.state.lesion = 0
        press["I"]()
        assert "Select a lesion first" in widget.message.refusal.text()
        assert widget.message.refusal.isVisibleTo(widget)
        assert widget.studio.state.tab is tab


def test_the_canvas_bears_the_number_of_the_slice(widget: Any, viewer: Any) -> None:
    overlay = viewer.canvas.overlays.text
    viewer.dims.set_current_step(0, 2)
    assert (overlay.text, overlay.visible) == ("slice 3", True)
    viewer.dims.ndisplay = 3
    assert not overlay.visible
    viewer.dims.ndisplay = 2
    assert overlay.visible
    assert widget.studio.close_case()
    assert (overlay.text, overlay.visible) == ("", False)
    overlay.text = "mine"
    viewer.dims.set_current_step(0, 0)
    assert overlay.text == "mine"
    overlay.text = ""


def test_a_key_that_decides_turns_to_review_first(widget: Any, patiently: Wait) -> None:
    studio = widget.studio
    press = {shortcut.key: shortcut.action for shortcut in studio.shortcuts}
    studio.state.case.labels.paint((1, 10, 10), 1)
    assert studio.flush()
    studio.state.lesion = 1
    widget.tabs.setCurrentIndex(list(Tab).index(Tab.EXPORT))
    press["Delete"]()
    assert studio.state.tab is Tab.REVIEW
    assert widget.tabs.currentIndex() == 0
    assert studio.state.case.labels.data.any()
    for key in ("A", "Shift-A", "Shift-X"):
        widget.tabs.setCurrentIndex(list(Tab).index(Tab.RETRAIN))
        press[key]()
        assert studio.state.tab is Tab.REVIEW
        assert widget.queue.buttons.unseen.isHidden()
        assert widget.queue.buttons.question.isHidden()
    assert studio.flush()
    assert studio.state.status is Status.CORRECTED
    press["K"]()
    assert widget.tabs.tabText(widget.tabs.currentIndex()) == "Keys"


def test_no_key_of_napari_is_taken(model: Any) -> None:
    keys = Shortcuts(model)
    for key in ("B", "Ctrl-Z", "Left", "V", "Shift-V", "1", "Escape"):
        assert KeyBinding.from_str(key.replace("-", "+")) in taken_by_napari()
        with pytest.raises(ValueError, match="in use"):
            keys.add(Shortcut(key, "something else", lambda: None))
    keys.add(Shortcut("F9", "free", lambda: None))
    with pytest.raises(ValueError, match="in use"):
        keys.add(Shortcut("F9", "twice", lambda: None))


def test_no_box_is_left_behind_the_brush(widget: Any, viewer: Any) -> None:
    """napari 0.9.2 draws it when all layers are gone, and Mesa ends the process."""
    from napari.components.overlays import BrushCircleOverlay

    overlays = [overlay for overlay in viewer.canvas.overlays.values() if isinstance(overlay, BrushCircleOverlay)]
    widget.studio.state.case.labels.mode = "paint"
    viewer.add_labels(np.zeros((6, 48, 40), np.uint8))
    assert [overlay.box for overlay in overlays] == [False]
    viewer.layers.clear()


def test_only_the_layers_of_an_open_case_are_there(
    widget: Any, viewer: Any, listed: Callable[[], list[str]], patiently: Wait
) -> None:
    from napari.layers import Labels

    studio = widget.studio
    case = studio.state.case
    of_ada = [case.labels.name, *(image.name for image in reversed(case.images))]
    assert listed() == of_ada
    case.labels.contour = 3
    studio.close_case()
    assert listed() == []
    viewer.layers.insert(0, Labels(np.zeros((6, 48, 40), np.uint8), name="mine"))
    assert listed() == ["mine"]
    studio.open_case("bob")
    patiently(lambda: not studio.busy)
    assert listed() == [name.replace("ada", "bob") for name in of_ada] + ["mine"]
    assert viewer.layers.selection.active is studio.state.case.labels
    assert studio.state.case.labels.contour == 3, "how lesions are drawn stays as chosen"


def test_lesions_that_are_removed_from_the_list_close_the_case_and_that_is_said(
    widget: Any, viewer: Any, project: Project, patiently: Wait
) -> None:
    studio = widget.studio
    labels = studio.state.case.labels
    labels.paint((1, 10, 10), 1)
    drawn = labels.data.copy()
    viewer.layers.remove(labels)
    assert studio.state.case is None
    assert "ada was closed" in widget.project.messages.text()
    assert not widget.project.messages.isHidden()
    patiently(lambda: len(viewer.layers) == 0)
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    np.testing.assert_array_equal(studio.state.case.labels.data, drawn)


def test_the_lesion_table_has_a_dock_of_its_own_and_comes_back_when_that_is_closed(widget: Any, viewer: Any) -> None:
    assert widget.lesions.window() is widget.window()
    assert not widget.isAncestorOf(widget.lesions)
    viewer.window.remove_dock_widget(widget.lesions)
    assert widget.isAncestorOf(widget.lesions)
    assert not widget.lesions.isHidden()


def test_what_is_set_once_is_folded_away_while_a_project_is_open(widget: Any, patiently: Wait) -> None:
    header = widget.project
    assert header.setup.isHidden()
    header.more.click()
    assert not header.setup.isHidden()
    header.annotator.setText("rater 1")
    header.annotator.textEdited.emit("rater 1")
    header.more.click()
    assert (header.setup.isHidden(), header.by.text()) == (True, "by rater 1")


def test_a_key_can_be_changed_is_remembered_and_stands_on_its_button(widget: Any, viewer: Any) -> None:
    studio, old, new = widget.studio, KeyBinding.from_str("Shift+D"), KeyBinding.from_str("F9")
    button = widget.keys.buttons["grow"]
    assert widget.tools.grow.text() == "Grow (U)"
    button.click()
    QTest.keyClick(button, Qt.Key.Key_F9)
    assert (widget.tools.grow.text(), button.text()) == ("Grow (F9)", "F9")
    assert new in viewer.keymap
    assert new in studio.state.case.labels.keymap
    assert KeyBinding.from_str("U") not in viewer.keymap
    button.click()
    QTest.keyClick(button, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert "in use" in widget.keys.refusal.text()
    assert old in viewer.keymap
    assert Shortcuts(viewer).stored("grow", "U") == "F9"
    button.click()
    QTest.keyClick(button, Qt.Key.Key_Backspace)
    assert widget.tools.grow.text() == "Grow (U)"


def test_keys_are_found_by_what_they_do(widget: Any) -> None:
    def shown() -> int:
        return sum(not row.isHidden() for row, _ in widget.keys._described)

    everything = shown()
    widget.keys.search.setText("brush thick")
    assert 0 < shown() < 5
    widget.keys.search.setText("")
    assert shown() == everything


def test_no_key_of_the_studio_needs_altgr(widget: Any) -> None:
    needed = set("[]{}@\\|~€#^")
    assert not [one.key for one in widget.studio.shortcuts if needed & set(one.key)]


def test_the_wheel_turns_slices_zooms_and_sizes_the_brush(widget: Any, viewer: Any) -> None:
    canvas = next(w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop")
    labels, none, modifier = widget.studio.state.case.labels, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier

    def turn(notches: int, held: Qt.KeyboardModifier = none) -> None:
        place = QPointF(canvas.rect().center())
        event = QWheelEvent(
            place,
            QPointF(canvas.mapToGlobal(place.toPoint())),
            QPoint(0, 0),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            held,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)

    shown, zoom, size = widget.studio.shown_slice, viewer.scene.camera.zoom, labels.brush_size
    turn(-1)
    assert (widget.studio.shown_slice, viewer.scene.camera.zoom) == (shown + 1, zoom)
    turn(1, modifier.ControlModifier)
    assert widget.studio.shown_slice == shown + 1
    assert viewer.scene.camera.zoom > zoom
    turn(1, modifier.ShiftModifier)
    assert labels.brush_size > size
    assert widget.studio.shown_slice == shown + 1
    widget.keys.wheel.click()
    zoom = viewer.scene.camera.zoom
    turn(1, modifier.ControlModifier)
    assert widget.studio.shown_slice == shown
    assert viewer.scene.camera.zoom == zoom
    widget.studio.close_case()
    assert [one.__name__ for one in viewer.mouse_wheel_callbacks if hasattr(one, "__name__")][0] == "dims_scroll"


def test_the_window_of_intensities_widens_and_has_presets(widget: Any) -> None:
    image = widget.studio.state.case.images[0]
    low, high = image.contrast_limits
    assert moved_window((low, high), 1, 0) == pytest.approx(
        ((low + high) / 2 - (high - low), (low + high) / 2 + (high - low))
    )
    press = {shortcut.title: shortcut.action for shortcut in widget.studio.shortcuts}
    windows = [tuple(image.contrast_limits)]
    for _ in range(3):
        press["brightness: usual, narrow, whole range"]()
        windows.append(tuple(image.contrast_limits))
    assert len(set(windows)) == 3
    assert windows[3] == windows[0]


def test_lesions_are_contours_and_hidden_while_a_key_is_held(widget: Any) -> None:
    labels = widget.studio.state.case.labels
    assert labels.contour == 1
    held = labels.keymap[KeyBinding.from_str("Q")](labels)
    next(held)
    assert not labels.visible
    assert next(held, None) is None
    assert labels.visible
    labels.keymap[KeyBinding.from_str("Shift+F")](labels)
    assert labels.contour == 0


def test_lesions_in_3d_are_a_surface_that_follows_edits(widget: Any, viewer: Any, patiently: Wait) -> None:
    from napari.layers import Surface

    labels = widget.studio.state.case.labels
    labels.data[2:4, 10:20, 10:20] = 3
    labels.check()
    widget.surfaces.toggle()
    patiently(lambda: any(isinstance(layer, Surface) for layer in viewer.layers))
    [surface] = (layer for layer in viewer.layers if isinstance(layer, Surface))
    centre = surface.data[0].mean(axis=0)
    np.testing.assert_allclose(centre, (2.5, 14.5, 14.5), atol=0.3)
    assert [layer for layer in viewer.layers if layer.visible] == [surface]
    labels.data[2:4, 10:20, 20:30] = 3
    labels.check()
    patiently(lambda: surface.data[0].mean(axis=0)[2] > 18)
    widget.surfaces.toggle()
    assert viewer.dims.ndisplay == 2
    assert surface not in viewer.layers
    assert labels.visible
    assert widget.studio.state.case.images[-1].visible


def test_a_note_is_kept_in_the_journal_and_seen_by_whoever_opens_the_case_next(
    widget: Any, project: Project, patiently: Wait
) -> None:
    studio, box = widget.studio, widget.queue.notes
    box.line.setText("second reader, please")
    box.line.returnPressed.emit()
    assert "second reader, please" in box.known.text()
    assert box.line.text() == ""
    assert studio.close_case()
    assert box.known.text() == ""
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    assert "second reader, please" in box.known.text()
    assert [note.text for note in project.read_case("ada").notes()] == ["second reader, please"]


def test_a_slice_has_a_thumbnail_in_its_tip(widget: Any) -> None:
    widget.studio.state.case.labels.paint((2, 20, 20), 1)
    tip = widget.queue._slice_tip(2, "worth nothing")
    assert tip.startswith('<img src="data:image/png;base64,')
    assert tip.endswith("worth nothing")


def test_a_closed_dock_saves_the_case_and_takes_its_layers(widget: Any, viewer: Any, project: Project) -> None:
    layer = widget.studio.state.case.labels
    layer.paint((1, 10, 10), 1)
    drawn = layer.data.copy()
    viewer.window.remove_dock_widget(widget)
    assert len(viewer.layers) == 0
    with project.open_case("ada", timeout=10) as session:
        np.testing.assert_array_equal(session.labels, drawn)
        assert session.labels.any()
        assert session.recovery is None
