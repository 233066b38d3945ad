"""Let a network propose masks for the cases of a project. The network is handed in; curation knows none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from metseg.curation.enums import Status
from metseg.curation.project import Project
from metseg.curation.state import Provenance
from metseg.curation.summary import CaseSummary
from metseg.curation.view import CaseView
from metseg.errors import DataError, MetsegError, UnreadableFileError
from metseg.events import Event, Finished, Notice, Progress
from metseg.lesions import PostprocessingConfig, Target
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Sequence as MrSequence
from metseg.study import Study


class Answer(Protocol):
    """What a network says of a study, each (z, y, x); :class:`metseg.inference.Segmentation` is one."""

    probabilities: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    disagreement: npt.NDArray[np.float32] | None


#: Answers for a study; closing the generator stops the work.
Propose = Callable[[Study], Iterator[Event[Any]]]

#: How what is said of a study with these sequences comes to be.
ProvenanceFor = Callable[[tuple[MrSequence, ...]], Provenance]


class PredictionOutcome(StrEnum):
    """What became of cases, in words that follow their number."""

    PREDICTED = "predicted"
    THERE = "predicted by this network already"
    EDITED = "left alone because somebody has edited them"
    FINISHED = "left alone because they are approved or rejected"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What became of the cases of a project.

    Attributes
    ----------
    refused : tuple of str
        Cases that failed, each with the reason.
    """

    outcomes: dict[str, PredictionOutcome]
    refused: tuple[str, ...]

    def count(self, outcome: PredictionOutcome) -> int:
        """How many cases ended so."""
        return sum(one is outcome for one in self.outcomes.values())


def provenance_of(
    model: str,
    weights_sha256: str,
    preprocessing: PreprocessingConfig,
    postprocessing: PostprocessingConfig,
    target: Target = Target.FLAIR_ABNORMALITY,
    *,
    clahe_average: bool = False,
) -> Provenance:
    """How a prediction comes to be, as it is written into the journal.

    Parameters
    ----------
    model, weights_sha256 : str
        Name and hash of the network's weights.
    preprocessing, postprocessing
        The exact configurations.
    target : Target
        What the network outlines.
    clahe_average : bool
        Whether answers for unenhanced and equalised slices are averaged.
    """
    return Provenance(
        model=model,
        weights_sha256=weights_sha256,
        threshold=postprocessing.threshold,
        preprocessing=preprocessing.model_dump(mode="json"),
        postprocessing=postprocessing.model_dump(mode="json"),
        clahe_average=clahe_average,
        target=target,
    )


def was_predicted(case: CaseView, provenance: Provenance) -> bool:
    """Whether the newest prediction of a case was made so, and can be read."""
    if case.status is Status.TODO:
        return False
    try:
        prediction = case.prediction()
    except UnreadableFileError:
        return False
    return prediction is not None and prediction.provenance == provenance


def predicting_project(
    project: Project,
    propose: Propose,
    provenance: Provenance | ProvenanceFor,
    *,
    cases: Collection[str] | None = None,
    also_edited: bool = False,
    also_finished: bool = False,
) -> Iterator[Event[Predictions]]:
    """Predict the cases that nobody has edited yet; nobody is locked out while the network works.

    What this network has predicted already, with the same settings, is not predicted again: a run that was broken off
    is finished by the same call. Cases that fail are listed, and the others go on.

    Parameters
    ----------
    propose : callable
        Yields events for a study; the last one carries an :class:`Answer`.
    provenance : Provenance, or callable
        Of what ``propose`` says; where that depends on a case's sequences, a function of them.
    cases : collection of str, optional
        Only these.
    also_edited : bool
        Also cases that somebody has edited; what was drawn by hand stays.
    also_finished : bool
        Also cases that are approved or rejected.

    Yields
    ------
    Progress, Notice, Finished
        ``Progress`` counts the slices of all cases; the last event carries :class:`Predictions`.

    Raises
    ------
    DataError
        If there is no such case.
    """
    found = {summary.name: summary for summary in project.cases()}
    if unknown := sorted(set(cases or ()) - found.keys()):
        raise DataError(f"{project.path}: has no case {', '.join(unknown)}")
    wanted = [summary for name, summary in found.items() if cases is None or name in cases]
    run = _Run(project, propose, provenance, also_edited, also_finished)
    yield from run.predict_all(wanted)
    yield Finished(Predictions(run.outcomes, tuple(run.refused)))


@dataclass
class _Run:
    """One run over many cases: what it works with, and what became of them."""

    project: Project
    propose: Propose
    provenance: Provenance | ProvenanceFor
    also_edited: bool
    also_finished: bool
    outcomes: dict[str, PredictionOutcome] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def predict_all(self, cases: Sequence[CaseSummary]) -> Iterator[Progress | Notice]:
        total, before = sum(case.shape[0] for case in cases), 0
        for number, case in enumerate(cases, start=1):
            title = f"{case.name} ({number} of {len(cases)})"
            yield Progress(before, total, title)
            try:
                self.outcomes[case.name] = yield from self._predict(case.name, Progress(before, total, title))
            except MetsegError as error:
                self.refused.append(str(error))
            before += case.shape[0]
        yield Progress(total, total)

    def _predict(self, name: str, start: Progress) -> Generator[Progress | Notice, None, PredictionOutcome]:
        """Predict a case unless there is a reason not to; it is only locked for taking the result over."""
        case = self.project.read_case(name)
        if reason := self._reason_against(case):
            return reason
        answer = yield from self._run_network(case.study(), start)
        with self.project.open_case(name) as session:
            if reason := self._reason_against(session):
                return reason
            plan = session.plan_prediction(answer.mask)
            session.predict(plan, answer.probabilities, self._made(case), disagreement=answer.disagreement)
        return PredictionOutcome.PREDICTED

    def _run_network(self, study: Study, start: Progress) -> Generator[Progress | Notice, None, Answer]:
        stream = self.propose(study)
        try:
            for event in stream:
                match event:
                    case Finished(answer):
                        return answer  # type: ignore[no-any-return]  # the type that Propose promises
                    case Progress(done):
                        yield Progress(start.done + done, start.total, start.what)
                    case Notice():
                        yield event
        finally:
            if isinstance(stream, Generator):
                stream.close()
        raise RuntimeError("the network ended without an answer")

    def _made(self, case: CaseView) -> Provenance:
        given = self.provenance
        return given if isinstance(given, Provenance) else given(case.description.sequences)

    def _reason_against(self, case: CaseView) -> PredictionOutcome | None:
        """Why a case is not to be predicted; ``None`` if it is."""
        if was_predicted(case, self._made(case)):
            return PredictionOutcome.THERE
        if case.status in (Status.APPROVED, Status.REJECTED) and not self.also_finished:
            return PredictionOutcome.FINISHED
        return PredictionOutcome.EDITED if case.status is Status.CORRECTED and not self.also_edited else None
