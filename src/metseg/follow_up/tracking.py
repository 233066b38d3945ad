"""More than two examinations of one patient: each compared with the one before, lesions followed through all."""

from __future__ import annotations

import datetime
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from metseg.errors import DataError
from metseg.events import Event, Finished, Progress
from metseg.follow_up.changes import FollowedLesion, FollowUpChange, Judgement, Thresholds, categorise, change_of
from metseg.follow_up.comparing import FollowUp, following
from metseg.follow_up.matching import Labels
from metseg.lesions import Lesion
from metseg.lesions.measurement import MOST_TARGETS
from metseg.study import Study

_STEPS = 3


@dataclass(frozen=True, slots=True)
class TrackedLesion:
    """One lesion through all examinations.

    Attributes
    ----------
    number : int
        The same in all examinations.
    parts : tuple of tuple of Lesion
        By examination its parts, as measured on that examination's own grid; none where it is not there.
    changes : tuple of FollowUpChange or None
        By examination what became of it since the one before; ``None`` in the first, and while it is not there.
    """

    number: int
    parts: tuple[tuple[Lesion, ...], ...]
    changes: tuple[FollowUpChange | None, ...]

    @property
    def volumes(self) -> tuple[float, ...]:
        """By examination, mm³."""
        return tuple(float(sum(part.volume_mm3 or 0.0 for part in parts)) for parts in self.parts)

    @property
    def diameters(self) -> tuple[float, ...]:
        """By examination, mm: of several parts the sum."""
        return tuple(float(sum(part.diameter_mm or 0.0 for part in parts)) for parts in self.parts)


@dataclass(frozen=True, eq=False)
class TrackedExaminations:
    """What changed through several examinations.

    Attributes
    ----------
    studies : tuple of Study
        From the first examination to the last.
    labels : tuple of ndarray of int32, shape (z, y, x)
        Each on its own grid; a lesion has the same number in all.
    steps : tuple of FollowUp
        Each examination from the second on with the one before; their lesions have these numbers, and their
        judgements take the first examination for baseline and the smallest sum so far for nadir.
    lesions : tuple of TrackedLesion
        In the order of their numbers.
    """

    studies: tuple[Study, ...]
    labels: tuple[npt.NDArray[np.int32], ...]
    steps: tuple[FollowUp, ...]
    lesions: tuple[TrackedLesion, ...]

    @property
    def dates(self) -> tuple[datetime.date | None, ...]:
        """By examination when it was acquired, where that is known."""
        return tuple(study.date for study in self.studies)


def tracking(
    studies: Sequence[Study], *, masks: Sequence[Labels] | None = None, thresholds: Thresholds | None = None
) -> Iterator[Event[TrackedExaminations]]:
    """Follow the lesions of one patient through several examinations.

    A lesion that is gone in one examination and there again in the next is a new one.

    Parameters
    ----------
    studies : sequence of Study
        Two or more, from the first examination to the last, each as for :func:`metseg.follow_up.following`.
    masks : sequence of ndarrays of int, shape (z, y, x), optional
        Non-zero inside lesions, one for each; by default the studies' own.
    thresholds : Thresholds, optional

    Yields
    ------
    Progress, Finished
        The last event carries the :class:`TrackedExaminations`.

    Raises
    ------
    DataError
        If there are fewer than two examinations, or two of them cannot be compared.
    """
    if len(studies) < 2:
        raise DataError("at least two examinations are needed")
    limits, total = thresholds or Thresholds(), _STEPS * (len(studies) - 1)
    steps: list[FollowUp] = []
    for place, (before, after) in enumerate(itertools.pairwise(studies)):
        pair = None if masks is None else (masks[place], masks[place + 1])
        for event in following(before, after, masks=pair, thresholds=limits):
            if isinstance(event, Finished):
                steps.append(event.result)
            elif isinstance(event, Progress):
                yield Progress(_STEPS * place + event.done, total, event.what)
            else:
                yield event
    yield Finished(_joined(tuple(studies), steps, limits))


def _joined(studies: tuple[Study, ...], steps: Sequence[FollowUp], limits: Thresholds) -> TrackedExaminations:
    """Give a lesion one number in all steps: those that are one in any of them are one in all."""
    numbers = _numbers(steps)
    renumbered = [_renumbered(step, numbers[place], limits) for place, step in enumerate(steps)]
    count = max((number for known in numbers for number in known.values()), default=0)
    lesions = tuple(_tracked(number, renumbered) for number in range(1, count + 1))
    judged = [
        replace(step, judgement=_judged(lesions, steps[: place + 1], limits)) for place, step in enumerate(renumbered)
    ]
    labels = (*(step.labels_before for step in judged[:1]), *(step.labels_after for step in judged))
    return TrackedExaminations(studies, labels, tuple(judged), lesions)


def _numbers(steps: Sequence[FollowUp]) -> list[dict[int, int]]:
    """For each step, by the number that a lesion has in it, the number that it has in all."""
    parts: dict[tuple[int, int], int] = {}
    pairs: list[tuple[int, int]] = []
    for time, step in enumerate(steps):
        for lesion in step.lesions:
            places = [(time, part.id) for part in lesion.before] + [(time + 1, part.id) for part in lesion.after]
            nodes = [parts.setdefault(place, len(parts)) for place in places]
            pairs += itertools.pairwise(nodes)
    rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(parts), len(parts)))
    component = connected_components(graph, directed=False)[1] if parts else []
    order: dict[int, int] = {}
    for place in sorted(parts):
        order.setdefault(int(component[parts[place]]), len(order) + 1)
    found: list[dict[int, int]] = []
    for time, step in enumerate(steps):
        firsts = {
            lesion.number: (time, lesion.before[0].id) if lesion.before else (time + 1, lesion.after[0].id)
            for lesion in step.lesions
        }
        found.append({number: order[int(component[parts[place]])] for number, place in firsts.items()})
    return found


def _renumbered(step: FollowUp, numbers: dict[int, int], limits: Thresholds) -> FollowUp:
    table = np.zeros(max(numbers, default=0) + 1, np.int32)
    table[list(numbers)] = list(numbers.values())
    several: defaultdict[int, list[FollowedLesion]] = defaultdict(list)
    for lesion in step.lesions:
        several[numbers[lesion.number]].append(lesion)
    lesions = tuple(_merged(number, several[number], limits) for number in sorted(several))
    labels = (table[volume] for volume in (step.labels_before, step.labels_after, step.carried))
    before, after, carried = labels
    return replace(step, labels_before=before, labels_after=after, carried=carried, lesions=lesions)


def _merged(number: int, several: Sequence[FollowedLesion], limits: Thresholds) -> FollowedLesion:
    """Lesions of one step that are one in another as one."""
    if len(several) == 1:
        return replace(several[0], number=number)
    before = tuple(part for one in several for part in one.before)
    after = tuple(part for one in several for part in one.after)
    changes = {one.change for one in several}
    change = changes.pop() if len(changes) == 1 else change_of(before, after, limits)
    events = dict.fromkeys(one.event for one in several if one.event)
    return FollowedLesion(number, before, after, change, " and ".join(events))


def _tracked(number: int, steps: Sequence[FollowUp]) -> TrackedLesion:
    found = [next((one for one in step.lesions if one.number == number), None) for step in steps]
    parts = (found[0].before if found[0] else (), *(one.after if one else () for one in found))
    return TrackedLesion(number, parts, (None, *(one.change if one else None for one in found)))


def _judged(lesions: Sequence[TrackedLesion], steps: Sequence[FollowUp], limits: Thresholds) -> Judgement:
    """RANO-BM at the last of these steps; what is new in it counts, also if it merges with another lesion later."""
    now = len(steps)
    candidates = [
        one
        for one in lesions
        if any(part.measurable for part in one.parts[0]) and FollowUpChange.NOT_COVERED not in one.changes[: now + 1]
    ]
    targets = sorted(candidates, key=lambda one: -one.diameters[0])[:MOST_TARGETS]
    sums = [sum(one.diameters[time] for one in targets) for time in range(now + 1)]
    response, reason = categorise(
        sums,
        limits,
        longer=max((one.diameters[now] - min(one.diameters[:now]) for one in targets), default=0.0),
        new=[one.diameters[1] for one in steps[-1].lesions if one.change is FollowUpChange.NEW],
        gone=not any(one.parts[now] for one in lesions),
    )
    return Judgement(response, (sums[-2], sums[-1]), tuple(one.number for one in targets), reason)
