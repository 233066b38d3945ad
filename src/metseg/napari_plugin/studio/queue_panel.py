"""Which case comes next, which of its slices matter, and the buttons that go through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QProgressBar, QWidget

from metseg.curation import ReviewProgress, Status, review_progress
from metseg.curation.enums import DONE
from metseg.napari_plugin.controls import Hint, Part, column, row, sign_button
from metseg.napari_plugin.studio.case_list import CaseList, CaseRow, rows_of
from metseg.napari_plugin.studio.formatting import status_name
from metseg.napari_plugin.studio.panel import Panel, button, stand_out
from metseg.napari_plugin.studio.review_questions import RejectQuestion, UnseenQuestion
from metseg.napari_plugin.studio.reviewing import Reviewing
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.studio.slice_strip import SliceStrip, Strip, as_html, thumbnail
from metseg.napari_plugin.studio.state import StudioState
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.curation import Note
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

#: Characters of a note, and how many notes are shown.
_LONGEST, _MOST_SHOWN = 2000, 3


class QueuePanel(Panel):
    """The review queue of a project."""

    def __init__(self, studio: Studio) -> None:
        super().__init__("", studio)
        self.reviewing = Reviewing(studio)
        self.summary = QLabel()
        self.summary.setObjectName("hint")
        self.summary.setWordWrap(True)
        self.previous_case = sign_button(
            "‹", translate("studio", "Open the case before in this order (Shift-W)."), self.reviewing.previous_case
        )
        self.next_case = sign_button(
            "›", translate("studio", "Open the case that follows in this order (W)."), self.reviewing.next_case
        )
        top = row(self.summary, self.previous_case, self.next_case, spacing=4)
        self.bar = QProgressBar()
        self.bar.setObjectName("thin")
        self.bar.setTextVisible(False)
        self.cases = CaseList(studio.open_case, self._show_problem, studio.colours)
        self.cases.setToolTip(translate("studio", "Most benefit first. Double click to open."))
        self.problem = Hint("notice")
        self.strip = SliceStrip(studio.go_to, studio.colours, self._slice_tip)
        self.left = Hint()
        # Two lines, in a style sheet that is not applied yet: the buttons below stay where they are.
        self.left.setMinimumHeight(round(2.6 * self.left.fontMetrics().lineSpacing()))
        self.left.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons = ReviewButtons(self.reviewing)
        self.notes = NotesBox(studio)
        for widget in (top, self.bar, self.cases, self.problem, self.strip, self.left, self.buttons, self.notes):
            self.add_wide(widget)
        studio.add_shortcut(Shortcut("Shift-X", QT_TRANSLATE_NOOP("studio", "reject the case"), self._reject))
        for shown, title in (
            (self.buttons.next, "next slice to look at"),
            (self.buttons.back, "slice before"),
            (self.buttons.approve, "approve, open the next case"),
            (self.buttons.reject, QT_TRANSLATE_NOOP("studio", "reject the case")),
            (self.buttons.reopen, "reopen the approved or rejected case"),
            (self.buttons.unseen.anyway, "approve though slices remain"),
        ):
            studio.show_key(shown, shown.text(), title)
        events = self.state.events
        self.follow(events, ("project", "cases", "listing", "queue", "case"), self._show_cases)
        self.follow(events, ("case", "slices", "reviewed", "status", "proposal"), self._show_slices)
        self.follow(events, ("slices", "reviewed"), self._show_rows)
        self.follow(self.reviewing, ("planned",), self._show_rows)
        self.follow(self.reviewing, ("planned",), self._show_slices)
        self.follow(studio.viewer.dims.events, ("current_step",), self._show_slices)
        self._show_cases()
        self._show_slices()

    def _reject(self) -> None:
        if self.studio.in_review():
            self.buttons.open_rejection()

    def _slice_tip(self, z: int, known: str) -> str:
        case = self.state.case
        return known if case is None else as_html(thumbnail(case, z), known)

    def _show_cases(self) -> None:
        state = self.state
        self._show_rows()
        self.cases.setVisible(bool(state.cases))
        progress = review_progress(state.cases)
        self.summary.setText(
            progress_line(progress) if state.cases else _empty_line(state.project is None, state.listing)
        )
        waiting = bool(self.reviewing.waiting_cases())
        for arrow in (self.previous_case, self.next_case):
            arrow.setEnabled(waiting)
        self.bar.setVisible(bool(state.cases))
        self.bar.setMaximum(max(sum(progress.cases.values()), 1))
        self.bar.setValue(sum(progress.cases[status] for status in DONE))

    def _show_rows(self) -> None:
        """Show the cases; of the open one it is known which slices were looked at a moment ago."""
        state, plan = self.state, self.reviewing.plan
        here = "" if state.case is None else state.case.name
        left = {} if plan is None else {here: len(self.reviewing.left)}
        self.cases.show_rows(rows_of(state.cases, state.queue, left), here)

    def _show_problem(self, row: CaseRow) -> None:
        """Show why a case cannot be opened when it is clicked."""
        self.problem.say(row.tip if row.problem else "")

    def _show_slices(self) -> None:
        state, plan, case = self.state, self.reviewing.plan, self.state.case
        self.strip.setVisible(case is not None)
        self.left.setVisible(case is not None)
        self.notes.setVisible(case is not None)
        self.buttons.show_state(state)
        if case is None:
            self.left.say("")
            return
        gains = {} if plan is None else plan.gains
        first = () if plan is None else plan.first
        shown = self.studio.shown_slice
        self.strip.show_strip(Strip(case.shape[0], gains, first, state.reviewed, shown, case.numbers))
        here = "" if shown is None else translate("studio", "Slice {number}.").format(number=case.numbers[shown]) + " "
        self.left.say(here + self._left_line(case))

    def _left_line(self, case: OpenCase) -> str:
        state, reviewing = self.state, self.reviewing
        if state.status in DONE:
            standing = translate("studio", "This case is {status}").format(status=status_name(state.status))
            return f"{standing}{': ' + state.reason if state.reason else ''}. {_seen(reviewing)}"
        if reviewing.plan is None:
            return (
                translate("studio", "Looking at the slices …")
                if reviewing.looking
                else translate("studio", "No network has predicted this case: nothing is known of it.")
            )
        left = reviewing.left
        if not left:
            return translate("studio", "Nothing that matters is left to check. Approve the case, or look at the rest.")
        coming = [z for z in left if z != self.studio.shown_slice]
        if not coming:
            return f"{_seen(reviewing)}; {translate('studio', 'this is the last')}."
        then = translate("studio", "next is slice {number}").format(number=case.numbers[coming[0]])
        return f"{_seen(reviewing)}; {then}."


def _seen(reviewing: Reviewing) -> str:
    """How many of the slices that matter were looked at; empty if it is not known which matter."""
    if reviewing.plan is None:
        return ""
    total = len(reviewing.plan.first)
    seen = total - len(reviewing.left)
    return translate("studio", "{seen} of {total} slices that matter looked at").format(seen=seen, total=total)


class NotesBox(Part[StudioState]):
    """The newest notes, and a line for another one; Return keeps it in the case's journal."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio.state)
        self._studio = studio
        self.known = Hint()
        self.line = QLineEdit()
        self.line.setMaxLength(_LONGEST)
        self.line.setPlaceholderText(translate("studio", "Note on this case, kept with Return"))
        self.line.returnPressed.connect(self._keep)
        column(self, self.known, self.line, spacing=4)
        self.follow(studio.state.events, ("case", "notes"), self._show)
        self._show()

    def _keep(self) -> None:
        text = self.line.text().strip()
        if text and self.state.editable:
            self.line.clear()
            self._studio.cases.add_note(text)

    def _show(self) -> None:
        notes = self.state.notes
        self.line.setEnabled(self.state.editable)
        self.known.say("\n".join(map(_note_line, notes[-_MOST_SHOWN:])))
        self.known.setToolTip("\n".join(map(_note_line, notes)))


def _note_line(note: Note) -> str:
    by = f" {note.annotator}" if note.annotator else ""
    return f"{note.time.astimezone():%d %b %H:%M}{by}: {note.text}"


class ReviewButtons(QWidget):
    """Next, back, approve, reject, reopen; each bears its key."""

    def __init__(self, reviewing: Reviewing) -> None:
        super().__init__()
        self._reviewing = reviewing
        self.next = button(
            translate("studio", "Next slice"),
            translate("studio", "Count this slice as looked at and go to the one that is worth most."),
        )
        self.back = button(translate("studio", "Back"), translate("studio", "Go back to the slice looked at before."))
        self.approve = button(
            translate("studio", "Approve, open next"),
            translate("studio", "This case is correct as it is. Open the next one."),
        )
        self.reject = button(
            translate("studio", "Reject …"), translate("studio", "This case cannot be used. You are asked why.")
        )
        self.next.clicked.connect(reviewing.next_slice)
        self.back.clicked.connect(reviewing.previous_slice)
        self.approve.clicked.connect(reviewing.approve)
        self.reject.clicked.connect(self.open_rejection)
        self.reopen = button(
            translate("studio", "Reopen"),
            translate("studio", "Take the approval or rejection back: the case stands where it stood before."),
        )
        self.reopen.clicked.connect(reviewing.reopen)
        self.question = RejectQuestion(reviewing)
        self.unseen = UnseenQuestion(reviewing)
        reviewing.slices_remain.connect(self._open_unseen)
        grid = QGridLayout(buttons := QWidget())
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for place, one in enumerate((self.next, self.back, self.approve, self.reject)):
            grid.addWidget(one, place // 2, place % 2)
        grid.addWidget(self.reopen, 2, 0, 1, 2)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        column(self, buttons, self.question, self.unseen)

    def show_state(self, state: StudioState) -> None:
        """Offer what can be done now; what should be done next stands out, unless a proposal waits."""
        status, editable = state.status, state.editable
        left = bool(self._reviewing.left) or self._reviewing.looking
        calm = editable and status not in (Status.TODO, *DONE) and state.proposal is None
        for one in (self.next, self.back):
            one.setEnabled(state.case is not None)
        for one in (self.approve, self.reject):
            one.setEnabled(editable and status not in DONE)
            one.setVisible(status not in DONE)
        self.reopen.setVisible(status in DONE)
        self.reopen.setEnabled(editable)
        if not (editable and status not in DONE):
            self.question.hide()
        self.unseen.keep_up()
        stand_out(self.next, calm and left)
        stand_out(self.approve, calm and not left)

    def open_rejection(self) -> None:
        """Open the question why the case is rejected, below the buttons."""
        if self.reject.isEnabled():
            self.unseen.hide()
            self.question.open()

    def _open_unseen(self) -> None:
        self.question.hide()
        self.unseen.open()


def progress_line(progress: ReviewProgress) -> str:
    """How far the review is, as a text."""
    done = sum(progress.cases[status] for status in DONE)
    total = sum(progress.cases.values())
    slices, all_slices = progress.slices
    text = translate("studio", "Cases done: {done} of {cases}, slices seen: {seen} of {slices}")
    return text.format(done=done, cases=total, seen=f"{slices:,}", slices=f"{all_slices:,}")


def _empty_line(no_project: bool, listing: bool) -> str:
    if listing:
        return translate("studio", "Looking at the cases …")
    return (
        translate("studio", "Open a project, and its cases appear here.")
        if no_project
        else translate("studio", "There is no case in this project yet.")
    )
