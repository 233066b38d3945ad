"""The studio in a real window: it opens from the menu, shows what is going on, gives everything back."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from metseg.curation import EditKind, Project, Status
from metseg.napari_plugin.studio.state import Tab

Wait = Callable[..., None]


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


@pytest.mark.slow
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
    studio.cases.set_status(Status.APPROVED)
    patiently(lambda: studio.state.status is Status.APPROVED)
    assert len(records(studio.state.case.view)) == 1


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
    studio.close_case()
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


@pytest.mark.slow
def test_nothing_moves_when_a_tool_says_what_it_did(widget: Any) -> None:
    widget.window().show()
    QApplication.processEvents()
    place = widget.tabs.y()
    widget.studio.go_to(1)
    widget.studio.state.case.labels.paint((1, 10, 10), 1)
    widget.studio.state.lesion = 1
    widget.tools.grow.click()
    QApplication.processEvents()
    assert widget.message.done.text().startswith("Grow: lesion 1")
    assert widget.message.done.isVisibleTo(widget)
    assert widget.tabs.y() == place


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_lesion_table_has_a_dock_of_its_own_and_comes_back_when_that_is_closed(widget: Any, viewer: Any) -> None:
    assert widget.lesions.window() is widget.window()
    assert not widget.isAncestorOf(widget.lesions)
    viewer.window.remove_dock_widget(widget.lesions)
    assert widget.isAncestorOf(widget.lesions)
    assert not widget.lesions.isHidden()


@pytest.mark.slow
def test_what_is_set_once_is_folded_away_while_a_project_is_open(widget: Any, patiently: Wait) -> None:
    header = widget.project
    assert header.setup.isHidden()
    header.more.click()
    assert not header.setup.isHidden()
    header.annotator.setText("rater 1")
    header.annotator.textEdited.emit("rater 1")
    header.more.click()
    assert (header.setup.isHidden(), header.by.text()) == (True, "by rater 1")


@pytest.mark.slow
def test_a_note_is_kept_in_the_journal_and_seen_by_whoever_opens_the_case_next(
    widget: Any, project: Project, patiently: Wait
) -> None:
    studio, box = widget.studio, widget.queue.notes
    box.line.setText("second reader, please")
    box.line.returnPressed.emit()
    assert "second reader, please" in box.known.text()
    assert box.line.text() == ""
    studio.close_case()
    patiently(lambda: studio.state.case is None)
    assert box.known.text() == ""
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    assert "second reader, please" in box.known.text()
    assert [note.text for note in project.read_case("ada").notes()] == ["second reader, please"]


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


def test_what_is_imported_is_not_looked_through_for_garbage_while_a_studio_is_open(
    model: Any, weights: Path, patiently: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metseg.napari_plugin.studio.studio import Studio

    monkeypatch.setenv("METSEG_WEIGHTS", str(weights))
    before = gc.get_freeze_count()
    studio = Studio(model)
    studio.find_networks()
    patiently(lambda: not studio.busy)
    assert "tiny" in [choice.key for choice in studio.state.models]
    assert gc.get_freeze_count() > before + 10_000
    studio.close()
    assert gc.get_freeze_count() <= before
