"""Cases and slices come in review order, one key goes on, and the queue says when nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from metseg.cli.app import app
from metseg.curation import EntryKind, Project, Provenance, Status
from metseg.curation.tools import delete
from metseg.napari_plugin.studio.slice_strip import Strip
from metseg.napari_plugin.studio.state import Saved

Wait = Callable[..., None]
SHAPE = (6, 48, 40)


def predict(project: Project, case: str, unsure: dict[int, float]) -> None:
    """Give a case a lesion on slices 1 to 4 whose network was unsure of some of them."""
    p = np.zeros(SHAPE, np.float32)
    p[1:5, 10:22, 10:22] = 1
    for z, probability in unsure.items():
        p[z, 10:22, 10:22] = probability
    provenance = Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5)
    with project.open_case(case) as session:
        session.predict(session.plan_prediction(p >= 0.5), p, provenance)


@pytest.fixture
def open_queue(viewer: Any, make_studio: Any, project: Project, patiently: Wait) -> Callable[..., Any]:
    """The queue's panel in a real window, on a project whose cases ``ada`` and ``bob`` were predicted."""
    predict(project, "ada", {2: 0.9})
    predict(project, "bob", {1: 0.62, 2: 0.67, 3: 0.72})

    def open_one(case: str = "") -> Any:
        from metseg.napari_plugin.studio.queue_panel import QueuePanel

        studio = make_studio(viewer)
        panel = QueuePanel(studio)
        viewer.window.add_dock_widget(panel, name="queue")
        if case:
            studio.open_case(case)
        patiently(lambda: studio.state.queue is not None and not (studio.busy or panel.reviewing.busy))
        return panel

    return open_one


def press(panel: Any, key: str) -> None:
    next(shortcut for shortcut in panel.studio.shortcuts if shortcut.key == key).action()


def settled(panel: Any) -> bool:
    return not (panel.studio.busy or panel.reviewing.busy)


def test_cases_are_listed_by_benefit_and_broken_ones_say_why(
    project: Project, open_queue: Any, patiently: Wait
) -> None:
    (project.path / "cases" / "eve").mkdir()
    (project.path / "cases" / "eve" / "case.json").write_text("{")
    panel = open_queue()
    rows = panel.cases.rows
    assert [row.name for row in rows] == ["bob", "ada", "eve"]
    assert rows[0].benefit == 1 > rows[1].benefit > 0
    assert rows[0].note == "3 slices"
    assert rows[2].problem
    assert "case.json" in rows[2].tip
    assert panel.summary.text() == "Cases done: 0 of 2, slices seen: 0 of 12"
    panel.cases.clicked.emit(panel.cases.model().index(2, 0))
    assert "case.json" in panel.problem.text()
    panel.cases.clicked.emit(panel.cases.model().index(0, 0))
    assert panel.problem.isHidden()
    panel.cases.activated.emit(panel.cases.model().index(2, 0))
    assert panel.state.opening_case == ""
    panel.cases.activated.emit(panel.cases.model().index(1, 0))
    patiently(lambda: panel.state.case is not None and settled(panel))
    assert panel.state.case.name == "ada"


def test_a_key_goes_through_the_slices_that_matter_and_then_approves(open_queue: Any, patiently: Wait) -> None:
    panel = open_queue("bob")
    studio, first = panel.studio, panel.reviewing.plan.first
    assert set(first) == {1, 2, 3}
    assert studio.shown_slice == first[0]
    assert f"Slice {first[0] + 1}. 0 of 3 slices" in panel.left.text()
    assert f"next is slice {first[1] + 1}" in panel.left.text()
    assert panel.buttons.next.objectName() == "primary"
    for expected in (first[1], first[2], first[2]):
        press(panel, "J")
        patiently(lambda: settled(panel))
        assert studio.shown_slice == expected
    assert panel.state.reviewed >= set(first)
    assert panel.strip.strip.reviewed >= set(first)
    assert "Nothing that matters is left" in panel.left.text()
    assert panel.buttons.approve.objectName() == "primary"
    panel.state.proposal = "waits"
    assert panel.buttons.approve.objectName() == "secondary"
    press(panel, "A")
    assert "proposal waits" in panel.state.messages[-1]
    assert panel.state.status is Status.PREDICTED
    panel.state.proposal = None
    press(panel, "J")
    assert studio.shown_slice not in first
    press(panel, "Shift-J")
    assert studio.shown_slice == first[2]

    press(panel, "A")
    patiently(lambda: panel.state.case is not None and panel.state.case.name == "ada" and settled(panel))
    assert panel.state.project.read_case("bob").status is Status.APPROVED
    assert panel.summary.text() == "Cases done: 1 of 2, slices seen: 3 of 12"
    assert [(row.name, row.note) for row in panel.cases.rows][1] == ("bob", "approved")
    press(panel, "A")
    assert panel.state.status is Status.PREDICTED, "it asks, for nothing was looked at"
    press(panel, "Shift-A")
    patiently(lambda: panel.state.status is Status.APPROVED and settled(panel))
    assert panel.state.case.name == "ada"
    assert not panel.buttons.approve.isEnabled()


def test_a_slice_that_was_drawn_on_counts_as_looked_at(open_queue: Any, patiently: Wait) -> None:
    panel = open_queue("bob")
    labels = panel.state.case.labels
    labels.paint((2, 40, 30), 9)
    patiently(lambda: 2 in panel.state.reviewed)
    assert 2 not in panel.reviewing.left
    assert [row.name for row in panel.cases.rows] == ["bob", "ada"]
    labels.undo()
    patiently(lambda: settled(panel) and panel.state.saved is Saved.SAVED)
    assert panel.state.reviewed == {2}, "it was on the screen, and nothing else was"


def test_a_lesion_deleted_as_a_whole_leaves_its_slices_to_be_looked_at_as_the_command_line_says(
    open_queue: Any, patiently: Wait
) -> None:
    panel = open_queue("bob")
    case, before = panel.state.case, panel.reviewing.plan
    [lesion] = np.unique(case.labels.data[case.labels.data > 0])
    within = set(np.flatnonzero((case.labels.data == lesion).any(axis=(1, 2))).tolist())
    assert len(within) > 1
    gain = {one.z: one.gain for one in panel.state.slices}
    panel.studio.apply(delete(case.labels.data, lesion), {"tool": "delete", "lesions": [int(lesion)]})
    patiently(lambda: settled(panel) and {one.z: one.gain for one in panel.state.slices} != gain)
    assert panel.state.status is Status.CORRECTED
    printed = CliRunner().invoke(app, ["project", "queue", str(panel.state.project.path), "--slices", "bob", "--json"])
    assert json.loads(printed.output)["slices"] == [{"slice": one.z + 1} | asdict(one) for one in panel.state.slices]
    assert not panel.state.reviewed & within
    assert set(panel.reviewing.left) == set(before.first)
    case.labels.paint((min(within), 40, 30), 9)
    patiently(lambda: min(within) in panel.state.reviewed and settled(panel))
    assert panel.state.reviewed & within == {min(within)}


def test_what_was_looked_at_is_kept_with_who_and_when(
    open_queue: Any, make_studio: Any, project: Project, patiently: Wait
) -> None:
    from napari.components import ViewerModel

    from metseg.napari_plugin.studio.queue_panel import QueuePanel

    panel = open_queue()
    panel.state.annotator = "rater 1"
    panel.studio.open_case("bob")
    patiently(lambda: panel.state.case is not None and settled(panel))
    first = panel.reviewing.plan.first
    press(panel, "J")
    press(panel, "J")
    assert not project.read_case("bob").reviewed, "a record for each slice would be many"
    assert "2 of 3 slices that matter looked at" in panel.left.text()
    assert next(row.note for row in panel.cases.rows if row.name == "bob") == "1 slice"
    press(panel, "W")
    patiently(lambda: panel.state.case is not None and panel.state.case.name == "ada" and settled(panel))
    assert not panel.state.reviewed
    [record] = [one for one in project.read_case("bob").history() if one.kind is EntryKind.REVIEWED]
    assert (set(record.slices), record.annotator) == (set(first[:2]), "rater 1")
    assert panel.summary.text() == "Cases done: 0 of 2, slices seen: 2 of 12"

    panel.studio.close()
    again = QueuePanel(make_studio(ViewerModel()))
    again.studio.open_case("bob")
    patiently(lambda: again.state.case is not None and settled(again))
    assert again.state.reviewed == set(first[:2])
    assert "2 of 3 slices that matter looked at" in again.left.text()
    assert again.studio.shown_slice == first[2]
    printed = CliRunner().invoke(app, ["project", "queue", str(project.path)], env={"COLUMNS": "200"}).output
    assert f"{first[2] + 1} (2 of 3 looked at)" in printed
    assert "2 of 12 slices looked at" in printed


def test_slices_looked_at_are_written_after_a_while_and_never_by_who_may_only_look(
    open_queue: Any, project: Project, patiently: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metseg.napari_plugin.studio import editing

    monkeypatch.setattr(editing, "_GATHER", 20)
    panel = open_queue("bob")
    shown = panel.studio.shown_slice
    press(panel, "J")
    patiently(lambda: project.read_case("bob").reviewed)
    assert project.read_case("bob").reviewed == {shown}
    panel.studio.open_case("ada", read_only=True)
    patiently(lambda: panel.state.case is not None and settled(panel))
    press(panel, "J")
    assert len(panel.state.reviewed) == 1
    panel.studio.close_case()
    assert not project.read_case("ada").reviewed


def test_approving_asks_while_slices_remain_that_nobody_looked_at(
    open_queue: Any, project: Project, patiently: Wait, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    panel = open_queue("bob")
    first, question = panel.reviewing.plan.first, panel.buttons.unseen
    press(panel, "J")
    press(panel, "A")
    press(panel, "A")
    left = ", ".join(str(z + 1) for z in sorted(first[1:]))
    assert not question.isHidden()
    assert question.text.text() == (f"Not looked at: 2 of 3 slices that matter ({left}). Approve all the same?")
    assert panel.state.status is Status.PREDICTED
    qtbot.keyClick(question.look, Qt.Key.Key_Escape)
    assert question.isHidden()
    press(panel, "A")
    panel.studio.go_to(5)
    qtbot.keyClick(question.look, Qt.Key.Key_Return)
    assert question.isHidden()
    assert panel.studio.shown_slice == first[1]
    press(panel, "A")
    press(panel, "J")
    patiently(lambda: settled(panel))
    assert question.isHidden(), "it went on looking"
    press(panel, "A")
    assert question.text.text().startswith("Not looked at: 1 of 3 slices that matter")
    question.anyway.click()
    patiently(lambda: panel.state.case is not None and panel.state.case.name == "ada" and settled(panel))
    approved = project.read_case("bob")
    assert (approved.status, approved.reviewed) == (Status.APPROVED, set(first[:2]))


def test_a_case_that_no_network_predicted_asks_for_every_slice(viewer: Any, make_studio: Any, patiently: Wait) -> None:
    from metseg.napari_plugin.studio.queue_panel import QueuePanel

    panel = QueuePanel(make_studio(viewer, "ada"))
    viewer.window.add_dock_widget(panel, name="queue")
    panel.state.case.labels.paint((2, 40, 30), 1)
    patiently(lambda: panel.state.reviewed == {2} and settled(panel))
    press(panel, "A")
    assert panel.buttons.unseen.text.text().startswith("Not looked at: 5 of 6 slices (1, 2, 4, 5, 6).")


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [False, True])
def test_an_approval_or_rejection_can_be_taken_back(
    open_queue: Any, project: Project, patiently: Wait, drawn: bool
) -> None:
    panel = open_queue("bob")
    if drawn:
        panel.state.case.labels.paint((2, 40, 30), 9)
    before = Status.CORRECTED if drawn else Status.PREDICTED
    assert panel.buttons.reopen.isHidden()
    for decide in (panel.reviewing.approve_anyway, lambda: panel.reviewing.reject("moved")):
        decide()
        patiently(lambda: panel.state.case is not None and panel.state.case.name == "ada" and settled(panel))
        panel.studio.open_case("bob")
        patiently(lambda: panel.state.case is not None and panel.state.case.name == "bob" and settled(panel))
        assert panel.buttons.approve.isHidden()
        press(panel, "A")
        assert "Reopen it first" in panel.state.messages[-1]
        assert not panel.buttons.reopen.isHidden()
        panel.buttons.reopen.click()
        patiently(lambda: panel.state.status is before and settled(panel))
        assert panel.buttons.approve.isEnabled()
        assert "bob" in [case.name for case in panel.reviewing.waiting_cases()]
    assert project.read_case("bob").status is before


def test_rejecting_asks_for_a_reason(open_queue: Any, patiently: Wait, qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    panel = open_queue("ada")
    question = panel.buttons.question
    press(panel, "Shift-X")
    assert not question.isHidden()
    qtbot.keyClick(question.reason, Qt.Key.Key_Return)
    assert panel.state.case.name == "ada"
    qtbot.keyClick(question.reason, Qt.Key.Key_Escape)
    assert question.isHidden()
    panel.buttons.reject.click()
    qtbot.keyClicks(question.reason, "moved too much")
    question.confirm.click()
    patiently(lambda: panel.state.case is not None and panel.state.case.name == "bob" and settled(panel))
    rejected = panel.state.project.read_case("ada")
    assert (rejected.status, rejected.reason) == (Status.REJECTED, "moved too much")


def test_without_prediction_slices_come_one_after_the_other_and_nothing_is_approved(
    viewer: Any, make_studio: Any, patiently: Wait
) -> None:
    from metseg.napari_plugin.studio.queue_panel import QueuePanel

    studio = make_studio(viewer)
    panel = QueuePanel(studio)
    studio.open_case("ada")
    patiently(lambda: panel.state.case is not None and settled(panel))
    assert "No network has predicted" in panel.left.text()
    seen = []
    for _ in range(7):
        press(panel, "J")
        seen.append(studio.shown_slice)
    assert set(seen) | {3} == set(range(6))
    press(panel, "A")
    assert panel.state.status is Status.TODO
    assert "nothing was predicted or drawn" in panel.state.messages[-1]


def test_a_case_that_is_only_looked_at_cannot_be_approved(open_queue: Any, project: Project, patiently: Wait) -> None:
    panel = open_queue()
    panel.studio.open_case("ada", read_only=True)
    patiently(lambda: panel.state.case is not None and settled(panel))
    assert not panel.buttons.approve.isEnabled()
    press(panel, "A")
    press(panel, "Shift-X")
    assert panel.buttons.question.isHidden()
    assert project.read_case("ada").status is Status.PREDICTED


@pytest.mark.slow
def test_the_strip_says_what_is_known_of_a_slice_and_a_click_goes_there(open_queue: Any, qtbot: Any) -> None:
    from qtpy.QtCore import QPoint, Qt

    strip = Strip(4, {0: 0.012, 1: 0.0}, (0,), frozenset({2}), 0, (12, 13, 15, 16))
    assert [strip.describe(z) for z in range(3)] == [
        "slice 12: worth 1.2 % of Dice",
        "slice 13: hardly anything to gain",
        "slice 15: looked at, or drawn on",
    ]
    panel = open_queue("ada")
    panel.strip.resize(300, 46)
    place = panel.strip.place(5).center()
    qtbot.mouseClick(panel.strip, Qt.MouseButton.LeftButton, pos=QPoint(int(place.x()), 10))
    assert panel.studio.shown_slice == 5
    assert panel.strip.strip.shown == 5
    assert not panel.strip.grab().isNull()
