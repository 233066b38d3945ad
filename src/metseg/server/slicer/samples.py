"""Which image comes next."""

from __future__ import annotations

import random
import threading
import time
from enum import StrEnum

from metseg.curation import CaseBenefit, CaseSummary, Status, review_queue
from metseg.events import drain
from metseg.server.slicer.cases import ProjectCases

#: Seconds for which a case is only given to others if nothing else waits.
_AT_WORK = 1800.0


class Strategy(StrEnum):
    """How the next image is chosen among those that nobody has corrected, approved or rejected."""

    UNCERTAINTY = "uncertainty"
    FIRST = "first"
    RANDOM = "random"

    @property
    def description(self) -> str:
        """For people."""
        return {
            Strategy.UNCERTAINTY: "The review queue: the image whose Dice gains most by each slice looked at",
            Strategy.FIRST: "The first by name",
            Strategy.RANDOM: "Any",
        }[self]


class Samples:
    """Chooses images."""

    def __init__(self, cases: ProjectCases) -> None:
        self._cases = cases
        self._benefits: dict[str, tuple[int, CaseBenefit | None]] = {}
        self._given: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def next(self, strategy: Strategy, who: str) -> CaseSummary | None:
        """The next image for ``who``, rather none that somebody else was given lately; ``None`` if none waits."""
        with self._lock:
            waiting = [case for case in self._cases.listed() if case.status in (Status.TODO, Status.PREDICTED)]
            if not waiting:
                return None
            chosen = self._choose(strategy, [case for case in waiting if not self._with_another(case, who)] or waiting)
            self._given[chosen.name] = who, time.monotonic()
            return chosen

    def _with_another(self, case: CaseSummary, who: str) -> bool:
        holder, since = self._given.get(case.name, (who, 0.0))
        return holder != who and time.monotonic() - since < _AT_WORK

    def _choose(self, strategy: Strategy, waiting: list[CaseSummary]) -> CaseSummary:
        if strategy is Strategy.RANDOM:
            return random.choice(waiting)  # noqa: S311  (no secret)
        return waiting[0] if strategy is Strategy.FIRST else self._most_beneficial(waiting)

    def _most_beneficial(self, waiting: list[CaseSummary]) -> CaseSummary:
        """The first of the review queue; what was read for it before and has not changed is not read again."""
        records = {case.name: case.records for case in self._cases.listed()}
        known = {name: found for name, (at, found) in self._benefits.items() if records.get(name) == at}
        queue = drain(review_queue(self._cases.project(), known=known))
        self._benefits = {
            entry.case.name: (records[entry.case.name], entry.benefit)
            for entry in queue.entries
            if entry.case.name in records
        }
        names = {case.name for case in waiting}
        return next((entry.case for entry in queue.entries if entry.case.name in names), waiting[0])
