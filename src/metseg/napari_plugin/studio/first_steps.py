"""What to do first: a project, a prediction, a case to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from metseg.curation import Status
from metseg.napari_plugin.controls import row
from metseg.napari_plugin.studio.panel import Panel, button, stand_out
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.project_panel import ProjectPanel
    from metseg.napari_plugin.studio.proposing import Proposing
    from metseg.napari_plugin.studio.reviewing import Reviewing
    from metseg.napari_plugin.studio.studio import Studio

_MARK = 18


class FirstSteps(Panel):
    """Three numbered steps, of which the next one stands out; hidden once there is something to review."""

    def __init__(self, studio: Studio, project: ProjectPanel, proposing: Proposing, reviewing: Reviewing) -> None:
        super().__init__(translate("studio", "First steps"), studio)
        self._proposing, self._reviewing = proposing, reviewing
        self.make = button(
            "",
            translate("studio", "Choose a folder of images, then a new, empty one for the project."),
            project.make.click,
        )
        self.open = button(
            translate("studio", "Open …"), translate("studio", "Open the folder of a project."), project.open.click
        )
        self.predict = button("", "", self._predict)
        self.review = button(
            translate("studio", "Open the first case"),
            translate("studio", "Open the case that is worth most."),
            reviewing.next_case,
        )
        self.marks = [QLabel(str(number)) for number in (1, 2, 3)]
        rows: tuple[tuple[QPushButton, ...], ...] = ((self.make, self.open), (self.predict,), (self.review,))
        for mark, buttons in zip(self.marks, rows, strict=True):
            self.add_wide(_row(mark, *buttons))
        state = studio.state.events
        self.follow(state, ("project", "cases", "case", "opening_case", "status", "queue", "activity"), self._show)
        self.follow(state, ("models", "model", "searching", "opening"), self._show)
        self._show()

    @property
    def step(self) -> int:
        """The step that is next, 1 to 3; 0 if all were taken."""
        state = self.state
        if state.project is None:
            return 1
        case = state.case
        if case is not None:
            return 2 if state.editable and case.prediction is None and state.status is Status.TODO else 0
        if state.opening_case:
            return 0
        return 3 if any(one.status is not Status.TODO for one in state.cases) else 2

    def _predict(self) -> None:
        if self.state.case is None:
            self._proposing.predict_all()
        else:
            self._proposing.predict()

    def _show(self) -> None:
        state, step = self.state, self.step
        self.setVisible(step > 0)
        for number, mark in enumerate(self.marks, start=1):
            mark.setText("✓" if number < step else str(number))
        for one in (self.make, self.open):
            one.setVisible(step <= 1 or one is self.make)
        self.make.setText(
            translate("studio", "New project …") if step <= 1 else translate("studio", "Another project …")
        )
        unedited = len(self._proposing.unedited())
        if state.case is not None or (unedited == 1 and len(state.cases) == 1):
            self.predict.setText(translate("studio", "Predict this case"))
        elif unedited:
            self.predict.setText(translate("studio", "Predict {count} cases").format(count=unedited))
        else:
            self.predict.setText(translate("studio", "Predict all cases"))
        obstacle = self._proposing.obstacle if state.case is None else self._proposing.case_obstacle
        self.predict.setEnabled(not obstacle and (unedited > 0 or state.case is not None))
        self.predict.setToolTip(
            obstacle or translate("studio", "Let the network outline the lesions; corrections come after.")
        )
        waiting = bool(self._reviewing.waiting_cases())
        self.review.setEnabled(state.case is None and waiting)
        self.review.setToolTip(
            translate("studio", "Open the case that is worth most.")
            if waiting
            else translate("studio", "No case waits for review.")
        )
        for number, one in ((1, self.make), (2, self.predict), (3, self.review)):
            stand_out(one, number == step and one.isEnabled())


def _row(mark: QLabel, *buttons: QPushButton) -> QWidget:
    mark.setFixedWidth(_MARK)
    return row(mark, *buttons, stretch=(0, 2, 1))
