"""Which case to look at next, which slices of it, and how much is done."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from metseg.curation.benefit import CaseBenefit, SlicePlan, expected_benefit
from metseg.curation.changes import Labels
from metseg.curation.enums import DONE, Status
from metseg.curation.predictions import Prediction
from metseg.curation.project import Project
from metseg.curation.summary import CaseSummary
from metseg.curation.view import CaseView
from metseg.errors import MetsegError
from metseg.events import Event, Finished, Progress
from metseg.lesions import PostprocessingConfig, mask_from_probabilities

#: Probabilities are kept in steps of 1/255, so that they are half a step off at most.
_STEP = 0.501 / 255


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A case that waits for review.

    Attributes
    ----------
    benefit : CaseBenefit or None
        What looking at it is worth; ``None`` if no network has predicted it yet.
    """

    case: CaseSummary
    benefit: CaseBenefit | None


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How much of a project is done.

    Attributes
    ----------
    cases : dict of Status to int
        How many cases stand where; every status is there.
    slices : tuple of int
        Slices that somebody has looked at or drawn on, and all.
    voxels : tuple of int
        Voxels in approved and rejected cases, and in all.
    """

    cases: dict[Status, int]
    slices: tuple[int, int]
    voxels: tuple[int, int]
    lesions: int
    lesion_voxels: int


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """A project in review order.

    Attributes
    ----------
    entries : tuple of QueueEntry
        Predicted and corrected cases, most benefit for each slice looked at first. Cases without prediction come last,
        in natural order: a network can propose something before a person spends time on them.
    problems : tuple of CaseSummary
        Cases that cannot be opened; ``problem`` says why.
    """

    entries: tuple[QueueEntry, ...]
    problems: tuple[CaseSummary, ...]
    progress: ReviewProgress


def review_queue(
    project: Project, *, known: Mapping[str, CaseBenefit | None] | None = None
) -> Iterator[Event[ReviewQueue]]:
    """Put the open cases of ``project`` into review order; nothing is written.

    Parameters
    ----------
    known : mapping of str to CaseBenefit or None, optional
        What is known already, by the case's name: these cases are not read again.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts cases; the last event carries the :class:`ReviewQueue`.
    """
    summaries = project.cases()
    waiting = [case for case in summaries if not case.problem and case.status not in DONE]
    problems = [case for case in summaries if case.problem]
    entries: list[QueueEntry] = []
    known = known or {}
    for done, case in enumerate(waiting):
        yield Progress(done, len(waiting), case.name)
        try:
            benefit = known[case.name] if case.name in known else case_benefit(project.read_case(case.name))
            entries.append(QueueEntry(case, benefit))
        except MetsegError as error:
            problems.append(case.model_copy(update={"problem": str(error)}))
    yield Progress(len(waiting), len(waiting))
    entries.sort(key=lambda entry: 1.0 if entry.benefit is None else -entry.benefit.rank)
    yield Finished(ReviewQueue(tuple(entries), tuple(problems), review_progress(summaries)))


def case_benefit(case: CaseView, *, reviewed: Collection[int] = ()) -> CaseBenefit | None:
    """What looking at a case is worth now.

    Slices on which somebody drew were looked at. Those in which a lesion was deleted, merged, or grown as a whole were
    not, for the lesion may have been seen in one of them only; but what was decided about its voxels is taken for true.
    Which slices matter is worked out from the prediction alone, so that it stays the same while they are reviewed.

    Parameters
    ----------
    case : CaseView
        Its labels, its newest prediction, and its reviewed slices are looked at.
    reviewed : collection of int
        Slices that somebody has looked at besides, counted from 0.

    Returns
    -------
    CaseBenefit or None
        ``None`` if no network has predicted the case yet.

    Raises
    ------
    UnreadableFileError
        If the prediction's file is gone or damaged.
    """
    prediction = case.prediction()
    if prediction is None:
        return None
    labels, probabilities, disagreement = case.labels, prediction.probabilities, prediction.disagreement
    untouched = case.status is Status.PREDICTED
    proposed = labels > 0 if untouched else _proposal(prediction, 0.0)
    at_first = expected_benefit(proposed, probabilities, disagreement=disagreement)
    plan = SlicePlan(
        gains={one.z: one.gain for one in at_first.slices},
        first=tuple(one.z for one in at_first.slices[: at_first.leading]),
        reviewed=case.reviewed | set(reviewed),
        numbers=case.description.slice_numbers,
    )
    if untouched and not plan.reviewed:
        return replace(at_first, plan=plan)
    if not untouched and (decided := _decided(labels, prediction)).any():
        probabilities = np.where(decided, labels > 0, probabilities).astype(np.float32)
        disagreement = None if disagreement is None else np.where(decided, np.float32(0), disagreement)
    now = expected_benefit(labels, probabilities, reviewed=plan.reviewed, disagreement=disagreement)
    left = set(plan.left)
    slices = tuple(sorted(now.slices, key=lambda one: one.z not in left))
    return CaseBenefit(now.dice, slices, len(left), plan)


def edited_slices(labels: Labels, prediction: Prediction) -> tuple[int, ...]:
    """Slices on which the labels are not what the network proposed.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
    prediction : Prediction
        Of the same case. Voxels whose probability is the threshold itself, as far as it is kept, say nothing.
    """
    return tuple(np.flatnonzero(_decided(labels, prediction).any(axis=(1, 2))).tolist())


def review_progress(cases: Iterable[CaseSummary]) -> ReviewProgress:
    """Count what is done, from :meth:`metseg.curation.Project.cases`; cases that cannot be opened are left out."""
    known = [case for case in cases if not case.problem]
    done = [case for case in known if case.status in DONE]
    approved = [case for case in known if case.status is Status.APPROVED]
    return ReviewProgress(
        cases={status: sum(case.status is status for case in known) for status in Status},
        slices=(sum(case.reviewed for case in known), sum(case.shape[0] for case in known)),
        voxels=(sum(math.prod(case.shape) for case in done), sum(math.prod(case.shape) for case in known)),
        lesions=sum(case.lesions for case in approved),
        lesion_voxels=sum(case.voxels for case in approved),
    )


def _decided(labels: Labels, prediction: Prediction) -> npt.NDArray[np.bool_]:
    """Voxels that are not what the network proposed, so that somebody must have decided about them."""
    most, least = (_proposal(prediction, step) for step in (-_STEP, _STEP))
    drawn = labels > 0
    different: npt.NDArray[np.bool_] = (drawn & ~most) | (~drawn & least)
    return different


def _proposal(prediction: Prediction, step: float) -> npt.NDArray[np.bool_]:
    """What the network proposed, had its threshold been ``step`` higher."""
    stated = prediction.provenance
    try:
        config = PostprocessingConfig.model_validate(stated.postprocessing)
    except ValidationError:  # of another version of metseg
        config = PostprocessingConfig()
    threshold = min(max(stated.threshold + step, 0.0), 1.0)
    return mask_from_probabilities(prediction.probabilities, config.model_copy(update={"threshold": threshold})) > 0
