"""Which project and case are open, and whether what was drawn is on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QToolButton
from superqt import QElidingLabel

from metseg.napari_plugin.controls import Hint, Part, row, sign_button
from metseg.napari_plugin.dialogs import ask_folder
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio import colours
from metseg.napari_plugin.studio.formatting import status_name
from metseg.napari_plugin.studio.panel import Panel, WorkBar, button
from metseg.napari_plugin.studio.state import Saved, StudioState
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

_LONGEST_NAME, _LONGEST_SHOWN = 64, 20
_DOTS = {Saved.SAVED: colours.GREEN, Saved.SAVING: colours.ORANGE, Saved.FAILED: colours.VERMILION}
_MOST_MESSAGES = 3


class ProjectPanel(Panel):
    """Project, case, saved or not, and what the user must know.

    What is set once, the project and the annotator, is one line while a project is open; a click on it shows the rest.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__("", studio)
        self.more = QToolButton()
        self.more.setObjectName("fold")
        self.more.setCheckable(True)
        self.more.setChecked(True)
        self.more.setToolTip(translate("studio", "Open or make a project; say who you are."))
        self.more.toggled.connect(self._fold)
        self.project = _name_label()
        self.by = QLabel()
        self.by.setObjectName("hint")
        self.open = button(
            translate("studio", "Open …"), translate("studio", "Open the folder of a project."), self._open
        )
        self.make = button(
            translate("studio", "New …"),
            translate("studio", "Make a project of a folder of images; they stay where they are."),
            self._make,
        )
        self.annotator = QLineEdit()
        self.annotator.setPlaceholderText(translate("studio", "Annotator: a pseudonym"))
        self.annotator.setMaxLength(_LONGEST_NAME)
        self.annotator.setToolTip(translate("studio", "Written into the journal of cases that you open from now on."))
        self.annotator.textEdited.connect(lambda text: setattr(self.state, "annotator", text.strip()))
        self.setup = row(self.annotator, self.open, self.make)
        self.case = _name_label()
        self.case.setObjectName("caseName")
        self.status = QLabel()
        self.close_case = sign_button("✕", translate("studio", "Save and close this case."), studio.close_case)
        self.saved = SavedLine(studio)
        self.refused = Hint("notice")
        self.look = button(
            translate("studio", "Look at it, read-only"),
            translate("studio", "Show the case as it is on the disk. Nothing can be changed."),
            self._look,
        )
        self.messages = Hint("notice")
        self.dismiss = button(
            translate("studio", "Dismiss"),
            translate("studio", "I have read this."),
            lambda: setattr(self.state, "messages", ()),
        )
        self.work = WorkBar(studio.cancel)
        self.add_wide(row(self.more, row(self.project, self.by), spacing=4, stretch=(0, 1)))
        self.add_wide(self.setup)
        self.add_wide(self.work)
        self._case_line = row(self.case, self.status, self.close_case)
        self.add_wide(self._case_line)
        for widget in (self.saved, self.refused, self.look, self.messages, self.dismiss):
            self.add_wide(widget)
        events = self.state.events
        self.follow(events, ("project",), self._fold_away)
        self.follow(events, ("project", "annotator"), self._show_project)
        self.follow(events, ("project", "case", "opening_case", "status", "reason"), self._show_case)
        self.follow(events, ("refused", "refusal", "messages"), self._show_messages)
        self.follow(events, ("activity", "progress"), self._show_work)
        self._fold_away()
        self._show_project()
        self._show_case()
        self._show_messages()

    def _fold_away(self) -> None:
        """Show what is set once until a project is open."""
        self.more.setChecked(self.state.project is None)
        self._fold(self.more.isChecked())

    def _fold(self, shown: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.setup.setVisible(shown)
        self.by.setVisible(not shown)
        for one in (self.open, self.make):  # the first steps offer them as well
            one.setVisible(self.state.project is not None)

    def _open(self) -> None:
        folder = ask_folder(self, translate("studio", "Open the folder of a project"))
        if folder is not None:
            self.studio.open_project(folder)

    def _make(self) -> None:
        data = ask_folder(self, translate("studio", "Images: a patient's folder, or a folder of patients"))
        folder = (
            None
            if data is None
            else ask_folder(self, translate("studio", "A new, empty folder for the project"), str(data.parent))
        )
        if data is not None and folder is not None:
            self.studio.create_project(folder, data)

    def _look(self) -> None:
        self.studio.open_case(self.state.refused, read_only=True)

    def _show_project(self) -> None:
        project = self.state.project
        self.project.setText(translate("studio", "No project is open") if project is None else project.path.name)
        self.project.setToolTip("" if project is None else str(project.path))
        self.project.setEnabled(project is not None)
        annotator = self.state.annotator
        self.by.setText(
            translate("studio", "by {name}").format(name=annotator[:_LONGEST_SHOWN])
            if annotator
            else translate("studio", "no annotator named")
        )
        with QSignalBlocker(self.annotator):
            if self.annotator.text().strip() != self.state.annotator:
                self.annotator.setText(self.state.annotator)

    def _show_case(self) -> None:
        state = self.state
        name = "" if state.case is None else state.case.name
        if state.opening_case:
            name = translate("studio", "Opening {case} …").format(case=state.opening_case)
        self.case.setText(name or translate("studio", "No case is open"))
        self.case.setToolTip(name)
        self.case.setEnabled(bool(name))
        self._case_line.setVisible(state.project is not None or state.case is not None)
        self.status.setText("" if state.case is None else status_name(state.status))
        self.status.setToolTip(state.reason)
        colour = colours.STATUS[state.status]
        self.status.setStyleSheet(f"color: {colour}" if colour and state.case is not None else "")
        self.close_case.setVisible(state.case is not None)

    def _show_messages(self) -> None:
        state = self.state
        self.refused.say(state.refusal)
        self.look.setVisible(bool(state.refused))
        texts = [text for text in state.messages if text != state.refusal]
        self.messages.say("\n\n".join(texts[-_MOST_MESSAGES:]))
        self.dismiss.setVisible(bool(texts))

    def _show_work(self) -> None:
        activity = self.state.activity
        self.work.show_work(activity if activity is Activity.OPENING else Activity.IDLE, self.state.progress)


class SavedLine(Part[StudioState]):
    """Whether what was drawn is on the disk, and a button for when it is not."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio.state)
        self.dot = QLabel("●")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        again, tip = translate("studio", "Save again"), translate("studio", "Try once more.")
        self.again = button(again, tip, studio.cases.save_again)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.dot, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.again, 0, Qt.AlignmentFlag.AlignTop)
        self.follow(self.state.events, ("case", "saved", "problem"), self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        self.setVisible(state.case is not None)
        self.dot.setStyleSheet(f"color: {_DOTS[state.saved]}" if state.saved in _DOTS else "")
        self.text.setText(saved_text(state))
        self.again.setVisible(state.saved is Saved.FAILED)


def _name_label() -> QElidingLabel:
    """A name that may be too long: shortened in its middle."""
    label = QElidingLabel()
    label.setElideMode(Qt.TextElideMode.ElideMiddle)
    label.setMinimumWidth(40)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def saved_text(state: StudioState) -> str:
    """Whether what was drawn is on the disk, as a text."""
    if state.case is not None and not state.editable:
        return translate("studio", "Read only: nothing can be changed here")
    match state.saved:
        case Saved.SAVED:
            return translate("studio", "All changes saved")
        case Saved.SAVING:
            return translate("studio", "Saving …")
        case Saved.FAILED:
            return translate("studio", "NOT saved: {problem}").format(problem=state.problem)
    return ""
