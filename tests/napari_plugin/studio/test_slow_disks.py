"""The window's thread goes on while a disk does not: it writes nothing, and waits for no thread that does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from metseg.curation import EditKind, Project, Status
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio.state import Saved

Wait = Callable[..., None]
Action = Callable[[Any], object]

ACTIONS: dict[str, tuple[Action, Action]] = {
    "another case": (
        lambda studio: studio.open_case("bob"),
        lambda studio: studio.state.case is not None and studio.state.case.name == "bob",
    ),
    "no case": (lambda studio: studio.close_case(), lambda studio: studio.state.case is None),
    "no project": (lambda studio: studio.close_project(), lambda studio: studio.state.project is None),
    "a status": (
        lambda studio: studio.cases.set_status(Status.APPROVED),
        lambda studio: studio.state.status is Status.APPROVED,
    ),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_what_comes_after_a_stroke_waits_until_it_is_saved_and_the_window_does_not(
    name: str, studio: Any, project: Project, held_disk: Any, patiently: Wait, qapp: Any
) -> None:
    act, done = ACTIONS[name]
    held_disk.hold()
    studio.state.case.labels.paint((1, 10, 10), 1)
    drawn = studio.state.case.labels.data.copy()
    act(studio)
    qapp.processEvents()
    assert studio.state.saved is Saved.SAVING
    assert not done(studio)
    held_disk.release()
    patiently(lambda: done(studio) and not studio.busy)
    np.testing.assert_array_equal(project.read_case("ada").labels, drawn)


def test_what_is_drawn_while_a_case_waits_to_be_left_is_kept_and_the_newest_wish_counts(
    studio: Any, project: Project, held_disk: Any, patiently: Wait, records: Any
) -> None:
    labels = studio.state.case.labels
    held_disk.hold()
    labels.paint((1, 10, 10), 1)
    studio.close_case()
    studio.open_case("bob")
    assert (studio.state.opening_case, studio.state.case.name) == ("bob", "ada")
    labels.paint((2, 10, 10), 2)
    drawn = labels.data.copy()
    held_disk.release()
    patiently(lambda: studio.state.case is not None and studio.state.case.name == "bob" and not studio.busy)
    ada = project.read_case("ada")
    np.testing.assert_array_equal(ada.labels, drawn)
    assert [record.kind for record in records(ada)] == [EditKind.STROKE] * 2


def test_a_stroke_after_an_approval_comes_after_it(
    studio: Any, project: Project, held_disk: Any, patiently: Wait
) -> None:
    held_disk.hold()
    studio.state.case.labels.paint((1, 10, 10), 1)
    studio.cases.set_status(Status.APPROVED)
    studio.state.case.labels.paint((2, 10, 10), 2)
    held_disk.release()
    patiently(lambda: not studio.busy)
    assert studio.state.status is Status.CORRECTED, "nobody approved what was drawn afterwards"
    kinds = [str(record.kind) for record in project.read_case("ada").history()]
    assert kinds == ["begin", "stroke", "status", "stroke"]


def test_a_case_that_is_given_up_while_it_is_being_shown_is_closed_in_a_thread(
    studio: Any, model: Any, project: Project, held_disk: Any, patiently: Wait
) -> None:
    image, turned_back = model.layers[0], []

    def turn_back() -> None:
        image.events.name.disconnect(turn_back)
        held_disk.hold()
        QTimer.singleShot(0, lambda: turned_back.append(studio.open_case("ada")))

    image.events.name.connect(turn_back)
    studio.open_case("bob")
    patiently(lambda: turned_back)
    assert studio.state.case is None
    held_disk.release()
    patiently(lambda: not studio.busy)
    assert studio.state.case.name == "ada"
    with project.open_case("bob", timeout=10) as session:
        assert session.recovery is None


def test_an_approval_opens_the_next_case_once_it_is_saved(
    widget: Any, project: Project, held_disk: Any, patiently: Wait
) -> None:
    studio, reviewing = widget.studio, widget.queue.reviewing
    studio.state.case.labels.paint((1, 10, 10), 1)
    patiently(lambda: studio.state.status is Status.CORRECTED and not reviewing.busy)
    held_disk.hold()
    studio.state.case.labels.paint((2, 10, 10), 1)
    reviewing.approve_anyway()
    assert (studio.state.case.name, studio.state.status) == ("ada", Status.CORRECTED)
    held_disk.release()
    patiently(lambda: studio.state.case is not None and studio.state.case.name == "bob" and not studio.busy)
    assert project.read_case("ada").status is Status.APPROVED


@pytest.mark.slow
def test_tables_exports_and_tools_that_read_the_journal_wait_in_the_background(
    widget: Any, project: Project, held_disk: Any, tmp_path: Path, patiently: Wait
) -> None:
    studio = widget.studio
    labels = studio.state.case.labels
    labels.brush_size = 5
    studio.go_to(2)
    held_disk.hold()
    for z in (1, 3):
        labels.paint((z, 10, 10), 1)
    studio.state.lesion = 1
    widget.tools.interpolate.click()
    assert not labels.data[2].any()
    widget.export.export_to(tmp_path / "out")
    assert studio.state.activity is Activity.IDLE
    widget.lesions.write(tmp_path / "lesions.csv")
    held_disk.release()
    patiently(lambda: labels.data[2].any() and not (studio.busy or widget.lesions.busy))
    assert (tmp_path / "lesions.csv").exists()
    assert widget.export.result.text() == "Nothing was exported.", "no case was approved"
