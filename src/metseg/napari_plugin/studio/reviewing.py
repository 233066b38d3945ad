"""Which case to open next, and which slices of the open one to look at. Owns no widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QT_TRANSLATE_NOOP

from metseg.curation import (
    CaseBenefit,
    CaseSummary,
    CaseView,
    Project,
    ReviewQueue,
    SlicePlan,
    Status,
    case_benefit,
    review_queue,
)
from metseg.curation.enums import DONE
from metseg.events import drain
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.studio.shortcuts import Shortcut

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

#: Milliseconds of rest before the slices are put into order again, so that a row of strokes costs one look.
_REST = 300

#: Name of a case, and hash of its prediction.
Key = tuple[str, str]


class Reviewing(WorkerMixin):
    """Keeps ``state.queue``, ``state.slices`` and ``state.reviewed``, and steps through them.

    Attributes
    ----------
    plan : SlicePlan or None
        Of the open case; ``None`` if no network has predicted it. ``planned`` reports that it is another.
    slices_remain : Signal
        The case is to be approved, though slices remain (:attr:`remaining`) that nobody has looked at.
    """

    planned = Signal()
    slices_remain = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._state = studio.state
        self.plan: SlicePlan | None = None
        self._key: Key | None = None
        self._pinned: Key | None = None
        self._looked = frozenset[int]()
        self._trail: list[int] = []
        self._listed: tuple[object, ...] = ()
        self._orders = self.worker(self._on_order, studio.report_error)
        self._looks = self.worker(self._on_benefit, studio.report_error)
        self._soon = self.delayed(self._order_slices, _REST)
        self.follow(self._state.events, ("project",), self._on_project)
        self.follow(self._state.events, ("cases",), self._order_cases)
        self.follow(self._state.events, ("case",), self._on_case)
        self.follow(self._state.events, ("commits",), self._on_commit)
        for shortcut in (
            Shortcut("J", QT_TRANSLATE_NOOP("studio", "next slice to look at"), self.next_slice),
            Shortcut("Shift-J", QT_TRANSLATE_NOOP("studio", "slice before"), self.previous_slice),
            Shortcut("A", QT_TRANSLATE_NOOP("studio", "approve, open the next case"), self._in_review(self.approve)),
            Shortcut(
                "Shift-A",
                QT_TRANSLATE_NOOP("studio", "approve though slices remain"),
                self._in_review(self.approve_anyway),
            ),
            Shortcut(
                "Shift-O",
                QT_TRANSLATE_NOOP("studio", "reopen the approved or rejected case"),
                self._in_review(self.reopen),
            ),
            Shortcut("W", QT_TRANSLATE_NOOP("studio", "next case"), self.next_case),
            Shortcut("Shift-W", QT_TRANSLATE_NOOP("studio", "case before"), self.previous_case),
        ):
            studio.add_shortcut(shortcut)
        studio.add_closing(self.close)
        self._on_case()
        self._order_cases()

    @property
    def left(self) -> tuple[int, ...]:
        """Slices that matter and were not looked at yet, most gain first."""
        return () if self.plan is None else tuple(z for z in self._waiting() if z in self.plan.first)

    @property
    def case(self) -> OpenCase | None:
        """The open case."""
        return self._state.case

    def go_to(self, z: int) -> None:
        """Show slice ``z`` of the open case, counted from 0; :meth:`previous_slice` comes back."""
        shown = self._studio.shown_slice
        if self._state.case is not None and shown is not None:
            self._trail.append(shown)
            self._studio.go_to(z)

    @property
    def remaining(self) -> tuple[int, ...]:
        """Slices to look at before approving: those that matter, or all where no network has predicted what matters."""
        return self._waiting() if self.plan is None else self.left

    @property
    def looking(self) -> bool:
        """Whether it is not known yet which slices matter."""
        case = self._state.case
        return self.plan is None and case is not None and case.prediction is not None

    # Slices

    def next_slice(self) -> None:
        """Count the slice on the screen as looked at, and go to the one that is worth most now."""
        z, case = self._studio.shown_slice, self._state.case
        if case is None or z is None or self.looking:
            return
        mattered = bool(self.left)
        self._studio.cases.mark_reviewed(z)
        self._looked |= {z}
        self._state.reviewed |= {z}
        self._soon.start()
        if mattered and not self.left:
            return  # stay, and let the reviewer decide: approve, or go on to what matters less
        if waiting := self.left or self._waiting():
            self._trail.append(z)
            self._studio.go_to(waiting[0])

    def previous_slice(self) -> None:
        """Go back to where :meth:`next_slice` came from."""
        if self._state.case is not None and self._trail:
            self._studio.go_to(self._trail.pop())

    def _waiting(self) -> tuple[int, ...]:
        """Slices that were not looked at, in review order; one after the other where nothing was predicted."""
        case = self._state.case
        if case is None:
            return ()
        order = [one.z for one in self._state.slices] if self.plan else range(case.shape[0])
        return tuple(z for z in order if z not in self._state.reviewed)

    def _on_case(self) -> None:
        case = self._state.case
        key = None if case is None else _key(case)
        if key == self._key and key is not None:
            return
        self._key = key
        self._trail.clear()
        self._looks.forget()
        self._soon.stop()
        self.plan = None
        self._state.slices = ()
        self._looked = frozenset()
        self._state.reviewed = self._looked if case is None else case.view.reviewed
        self.planned.emit()
        self._order_slices()

    def _on_commit(self) -> None:
        """What is on the disk counts; besides it, what waits to be written, or was looked at read-only."""
        case = self._state.case
        if case is not None:
            self._looked -= case.view.reviewed
            self._state.reviewed = case.view.reviewed | self._looked
        self._soon.start()

    def _order_slices(self) -> None:
        case = self._state.case
        if case is not None and self._key is not None and case.prediction is not None:
            self._looks.submit(_look, self._key, case.view, self._looked, self._studio.shown_slice)

    def _on_benefit(self, found: tuple[Key, CaseBenefit | None, int | None]) -> None:
        key, benefit, shown = found
        case = self._state.case
        if benefit is None or case is None or key != self._key:
            return
        begun = self.plan is not None
        self.plan = benefit.plan
        self._state.slices = benefit.slices
        self._state.reviewed = case.view.reviewed | self._looked
        if not begun:
            self.planned.emit()
            if self.left and self._studio.shown_slice == shown:  # nobody has begun to look around
                self._studio.go_to(self.left[0])

    # Cases

    def approve(self) -> None:
        """Approve the open case and open the next one; unless slices remain to be looked at."""
        case = self._state.case
        if case is None or not self._may_approve(case):
            return
        if self.looking:
            self._studio.report(f"{case.name}: it is not known yet which slices matter. Try again in a moment.")
        elif self.remaining:
            self.slices_remain.emit()
        else:
            self._finish(Status.APPROVED)

    def approve_anyway(self) -> None:
        """Approve the open case, though slices remain that nobody has looked at, and open the next one."""
        case = self._state.case
        if case is not None and self._may_approve(case):
            self._finish(Status.APPROVED)

    def reopen(self) -> None:
        """Take the approval or rejection of the open case back."""
        if self._state.editable and self._state.status in DONE:
            self._studio.cases.reopen()

    def _in_review(self, decide: Callable[[], None]) -> Callable[[], None]:
        """A key's action that decides something only where it is seen."""

        def act() -> None:
            if self._studio.in_review():
                decide()

        return act

    def _may_approve(self, case: OpenCase) -> bool:
        """Whether the open case can be approved here and now; if not, it is reported why."""
        if self._state.opening_case:
            return False  # it is being saved, and the next one comes
        if not self._state.editable:
            self._studio.report(f"{case.name}: can only be looked at here, so it cannot be approved here.")
        elif self._state.proposal is not None:
            self._studio.report(f"{case.name}: a network's proposal waits. Take it over or discard it first.")
        elif self._state.status is Status.TODO:
            self._studio.report(f"{case.name}: nothing was predicted or drawn yet. Predict it, draw, or reject it.")
        elif self._state.status in DONE:
            self._studio.report(f"{case.name}: is {self._state.status} already. Reopen it first (Shift-O).")
        else:
            return True
        return False

    def reject(self, reason: str) -> None:
        """Reject the open case and open the next one."""
        if self._state.editable and self._state.status not in DONE and reason.strip():
            self._finish(Status.REJECTED, reason.strip())

    def next_case(self) -> None:
        """Open the case that follows in review order."""
        self._open(self._neighbour(1))

    def previous_case(self) -> None:
        """Open the case before in review order."""
        self._open(self._neighbour(-1))

    def _finish(self, status: Status, reason: str = "") -> None:
        following = self._neighbour(1)
        key = self._key

        def open_next(saved: bool) -> None:
            if saved and key == self._key and self._state.status is status:
                self._open(following)

        self._studio.cases.set_status(status, reason)
        self._studio.when_saved(open_next)

    def _open(self, name: str | None) -> None:
        if name is not None:
            self._studio.open_case(name)

    def _neighbour(self, step: int) -> str | None:
        """Name of the waiting case ``step`` places from the open one, round and round, if there is another."""
        names = [case.name for case in self.waiting_cases()]
        here = "" if self._state.case is None else self._state.case.name
        if here in names:
            following = names[(names.index(here) + step) % len(names)]
            return None if following == here else following
        return names[0 if step > 0 else -1] if names else None

    def waiting_cases(self) -> list[CaseSummary]:
        """Cases that wait for review, in order; by name until the order is known."""
        queue = self._state.queue
        if queue is not None:
            now = {case.name: case for case in self._state.cases}
            waiting = [now.get(entry.case.name, entry.case) for entry in queue.entries]
        else:
            waiting = list(self._state.cases)
        return [case for case in waiting if case.status not in DONE and not case.problem]

    def _on_project(self) -> None:
        self._orders.forget()
        self._listed, self._pinned = (), None
        self._state.queue = None
        self._order_cases()

    def _order_cases(self) -> None:
        """Put the cases into order if there is something new; the open one keeps its place while it is drawn on."""
        project, case = self._state.project, self._state.case
        here = "" if case is None else case.name
        listed = tuple(
            (one.name, one.status in DONE, one.problem, one.name != here and one.records) for one in self._state.cases
        )
        if project is None or listed == self._listed:
            return
        self._listed = listed
        self._orders.submit(_order, project, self._known(here), self._key)

    def _known(self, here: str) -> dict[str, CaseBenefit | None]:
        if self._state.queue is None:
            return {}
        records = {case.name: case.records for case in self._state.cases}
        return {
            entry.case.name: entry.benefit
            for entry in self._state.queue.entries
            if records.get(entry.case.name) == entry.case.records
            or (entry.case.name == here and self._pinned == self._key and entry.benefit is not None)
        }

    def _on_order(self, found: tuple[Project, ReviewQueue, Key | None]) -> None:
        project, queue, key = found
        if project is self._state.project:
            self._pinned = key
            self._state.queue = queue


def _key(case: OpenCase) -> Key:
    return case.name, "" if case.prediction is None else case.prediction.sha256


def _order(
    project: Project, known: dict[str, CaseBenefit | None], key: Key | None
) -> tuple[Project, ReviewQueue, Key | None]:
    return project, drain(review_queue(project, known=known)), key


def _look(
    key: Key, view: CaseView, looked: frozenset[int], shown: int | None
) -> tuple[Key, CaseBenefit | None, int | None]:
    return key, case_benefit(view, reviewed=looked), shown
