"""Has networks predict, shows what that would change, and takes it over on request. Owns no widget."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QT_TRANSLATE_NOOP

from metseg import DEFAULT_MODEL
from metseg.curation import Project, Status
from metseg.curation.enums import DONE
from metseg.curation.predicting import PredictionOutcome, Predictions
from metseg.errors import MetsegError
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.pipeline import preferred
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio.predictions import (
    Proposal,
    ProposalChange,
    first_voxel_slice,
    predicting,
    predicting_all,
    propose,
)
from metseg.napari_plugin.studio.proposal_picture import ProposalPicture
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.translations import translate
from metseg.preprocessing import Clahe

if TYPE_CHECKING:
    from metseg.client import Address
    from metseg.inference import Segmentation
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

#: Milliseconds of rest after an edit before the plan is made anew.
_REST = 250

#: What the keys do.
PREDICT, TAKE_OVER = (
    QT_TRANSLATE_NOOP("studio", "have the network predict this case"),
    QT_TRANSLATE_NOOP("studio", "take over what the network proposes"),
)


class Proposing(WorkerMixin):
    """Runs networks on the open case, or on all that nobody has edited.

    ``case`` names the case that is being predicted, ``all`` is whether all are.
    """

    changed = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._state = studio.state
        self.preview = ProposalPicture(studio.viewer, studio.own_layers)
        self._seen: dict[ProposalChange, int] = {}
        self._here = "" if self._state.case is None else self._state.case.name
        self.case, self.all, self.summary = "", False, ""
        self._promoted = ""
        self._wanted: tuple[Segmentation, bool] | None = None
        self._plans = self.worker(self._on_plan, self._on_plan_failed)
        self._defaults = self.worker(self._on_default, studio.report_error)
        self._soon = self.delayed(self._replan, _REST)
        events = self._state.events
        self.follow(events, ("project", "remote"), self._find_default)
        self.follow(events, ("activity",), self._on_activity)
        self.follow(events, ("case",), self._on_case)
        self.follow(events, ("commits",), self._on_commit)
        self.follow(events, ("proposal",), self._show)
        studio.add_shortcut(Shortcut("H", PREDICT, self.predict))
        studio.add_shortcut(Shortcut("Shift-H", TAKE_OVER, self.take_over))
        studio.add_closing(self.close)
        self._find_default()

    def close(self) -> None:
        """Stop working and listening. The preview stays: it goes with the case, and the window may be gone."""
        super().close()
        self.preview.close()

    @property
    def planning(self) -> bool:
        """Whether it is being worked out what an answer would change."""
        return self._wanted is not None

    @property
    def keeps_hand(self) -> bool:
        """Whether what was drawn by hand stays, as chosen last."""
        if self._wanted is not None:
            return self._wanted[1]
        proposal = self._state.proposal
        return not isinstance(proposal, Proposal) or proposal.keep_hand

    @property
    def obstacle(self) -> str:
        """Why nothing can be predicted now, as a text; empty if it can."""
        state = self._state
        if state.project is None:
            return translate("studio", "Open a project first.")
        if state.activity is not Activity.IDLE:
            return translate("studio", "Wait for the current work to end.")
        if state.searching or state.opening:
            return translate("studio", "Still looking for networks.")
        if state.remote and state.server is None:
            return state.server_problem or translate("studio", "Connect to a server first.")
        usable = state.card is not None or state.model == DEFAULT_MODEL
        return "" if usable else translate("studio", "Choose a network first.")

    @property
    def case_obstacle(self) -> str:
        """Why the open case cannot be predicted now, as a text; empty if it can."""
        if self.obstacle:
            return self.obstacle
        if self._state.case is None:
            return translate("studio", "Open a case first.")
        return "" if self._state.editable else translate("studio", "This case can only be looked at here.")

    # One case

    def predict(self) -> None:
        """Run the chosen network on the open case, in a thread."""
        case = self._state.case
        if self.case_obstacle or case is None:
            self._studio.report(self.case_obstacle)
            return
        self._forget()
        self._set(case=case.name, summary="")
        arguments = case.study, *self._network
        self._studio.start(Activity.RUNNING, f"Predicting {case.name}", self._on_answer, predicting, *arguments)

    def take_over(self) -> None:
        """Take over what is proposed: one step back in the undo history."""
        proposal = self._state.proposal
        if isinstance(proposal, Proposal):
            self._take_over(proposal)

    def discard(self) -> None:
        """Forget what is proposed."""
        self._forget()
        self._set(summary="")

    def keep_hand(self, keep: bool) -> None:
        """Set whether what was drawn by hand stays, and plan again."""
        proposal = self._state.proposal
        if isinstance(proposal, Proposal) and self.keeps_hand != keep:
            self._plan(proposal.answer, keep_hand=keep)

    def look_at(self, change: ProposalChange) -> None:
        """Go to a lesion that would change so; to the next one when called again."""
        proposal, case = self._state.proposal, self._state.case
        if not isinstance(proposal, Proposal) or case is None or not proposal.lesions(change):
            return
        lesions = proposal.lesions(change)
        number = self._seen.get(change, 0)
        self._seen[change] = number + 1
        z, y, x = first_voxel_slice(proposal, case.labels.data, lesions[number % len(lesions)])
        self._studio.go_to(z, y, x)

    def _on_answer(self, answer: Segmentation) -> None:
        case = self._state.case
        if case is not None and case.name == self.case and self._state.editable:
            self._plan(answer, keep_hand=True)

    def _plan(self, answer: Segmentation, *, keep_hand: bool) -> None:
        """Have it worked out in a thread what ``answer`` would change, once all that was drawn is on the disk."""
        case = self._state.case
        if case is None:
            return
        self._wanted = answer, keep_hand
        if case.labels.drawing:
            self._soon.start()
        else:
            self._studio.when_saved(partial(self._plan_saved, case, self._wanted))

    def _plan_saved(self, case: OpenCase, wanted: tuple[Segmentation, bool], saved: bool) -> None:
        if self._wanted is not wanted:
            return
        if saved:
            self._plans.submit(_planned, case, *wanted, self._state.edits)
        else:
            self._soon.start()

    def _on_plan(self, found: tuple[OpenCase, Proposal, int]) -> None:
        case, proposal, edits = found
        if self._wanted is None or self._state.case is None or self._state.case.view is not case.view:
            return
        if edits != self._state.edits:  # somebody drew meanwhile
            self._soon.start()
            return
        self._wanted = None
        self._seen.clear()
        if self._state.status is Status.TODO:
            self._take_over(proposal)  # there is nothing to lose
        else:
            self._state.proposal = proposal

    def _on_plan_failed(self, error: Exception) -> None:
        self._wanted = None
        self._studio.report_error(error)
        self.changed.emit()

    def _take_over(self, proposal: Proposal) -> None:
        """Take over a proposal once all that was drawn is on the disk; until then the labels are seen again."""
        self._state.proposal = None
        self.preview.hide()
        self._studio.when_saved(partial(self._take_over_saved, proposal, self._here))

    def _take_over_saved(self, proposal: Proposal, here: str, _saved: bool) -> None:
        if here != self._here:
            return
        try:
            answer = proposal.answer
            self._studio.take_over(
                proposal.plan, answer.probabilities, proposal.provenance, disagreement=answer.disagreement
            )
        except MetsegError as error:
            self._studio.report_error(error)
            self._state.proposal = proposal
            self._show()
            self._soon.start()
            return
        self._set(summary=f"Taken over: {proposal.plan}. Ctrl-Z takes it back.")

    def _replan(self) -> None:
        """Plan again what could not be planned, or what the labels have changed under."""
        proposal, case = self._state.proposal, self._state.case
        if self._wanted is not None:
            self._plan(self._wanted[0], keep_hand=self._wanted[1])
        elif isinstance(proposal, Proposal) and case is not None and proposal.plan.edits != case.view.edits:
            self._plan(proposal.answer, keep_hand=proposal.keep_hand)

    # All cases

    def predict_all(self) -> None:
        """Run the chosen network on every case that nobody has edited, but the open one, in a thread."""
        project = self._state.project
        names = self.unedited()
        if self.obstacle or project is None or not names:
            self._studio.report(self.obstacle or translate("studio", "Every case was edited, approved or rejected."))
            return
        self._set(all=True, summary="")
        arguments = project, *self._network, names
        self._studio.start(Activity.RUNNING, f"Predicting {len(names)} cases", self._on_all, predicting_all, *arguments)

    @property
    def _network(self) -> tuple[str, str, Clahe | None, Address | None]:
        """Which one predicts, where, and what it is shown."""
        state = self._state
        return state.model, state.device, state.clahe, None if state.server is None else state.server.address

    def unedited(self) -> list[str]:
        """Names of the cases that nobody has edited, without the open one."""
        here = "" if self._state.case is None else self._state.case.name
        return [
            case.name
            for case in self._state.cases
            if not case.problem and case.name != here and case.status not in (Status.CORRECTED, *DONE)
        ]

    def _on_all(self, done: Predictions) -> None:
        count = done.count(PredictionOutcome.PREDICTED)
        one = translate("studio", "1 case predicted")
        parts = [one if count == 1 else translate("studio", "{count} cases predicted").format(count=count)]
        others = (
            (done.count(PredictionOutcome.THERE), translate("studio", "{count} had this prediction already")),
            (
                done.count(PredictionOutcome.EDITED) + done.count(PredictionOutcome.FINISHED),
                translate("studio", "{count} left alone because somebody has edited them meanwhile"),
            ),
            (len(done.refused), translate("studio", "{count} failed")),
        )
        parts += [text.format(count=number) for number, text in others if number]
        self._set(summary=", ".join(parts) + ".")
        self._state.notices = (*self._state.notices, *done.refused)

    # The network that the project uses first

    def _find_default(self) -> None:
        project = self._state.project
        if project is not None and not self._state.remote:
            self._defaults.submit(_default_model, project)

    def _on_default(self, path: str) -> None:
        if path:
            self._promoted = path
            self._studio.add_model_file(path)
        elif self._promoted and self._state.model == self._promoted:
            self._promoted = ""
            self._state.model = preferred(self._state.models)

    # What goes on

    def _on_activity(self) -> None:
        if self._state.activity is not Activity.IDLE or not (self.case or self.all):
            return
        everything = self.all
        self._set(case="", all=False)
        if everything:
            self._studio.refresh()

    def _on_case(self) -> None:
        case = self._state.case
        here = "" if case is None else case.name
        if here == self._here:
            return
        self._here = here
        self._forget()
        if self.case and self.case != here:
            self._studio.cancel()
        self._set(summary="")

    def _on_commit(self) -> None:
        if self._state.proposal is not None:
            self._soon.start()

    def _show(self) -> None:
        proposal, case = self._state.proposal, self._state.case
        if isinstance(proposal, Proposal) and case is not None:
            self.preview.show(case, proposal)
        else:
            self.preview.hide()

    def _forget(self) -> None:
        self._wanted = None
        self._plans.forget()
        self._soon.stop()
        self._state.proposal = None

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        self.changed.emit()


def _planned(case: OpenCase, answer: Segmentation, keep_hand: bool, edits: int) -> tuple[OpenCase, Proposal, int]:
    """What ``answer`` would change of what is on the disk; ``edits`` were made until then."""
    before = case.view.labels.copy()
    plan = case.view.plan_prediction(answer.mask, keep_hand=keep_hand)
    return case, propose(case.name, answer, plan, before, keep_hand=keep_hand), edits


def _default_model(project: Project) -> str:
    """The file of the network that the project has promoted; empty if it has promoted none."""
    model = project.default_model
    return "" if model is None else str(model.located(project).resolve())
