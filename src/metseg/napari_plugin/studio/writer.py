"""Commits edits to the disk in the order in which they were drawn, in a thread unless the caller is to wait."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from metseg.curation import CaseSession, Prediction
from metseg.errors import DataError, MetsegError
from metseg.napari_plugin.studio.case_labels import Edit

Job = Callable[[], object]


class _StatusChange:
    """A job that sets a case's status; a refusal is kept in ``refusals``, and it is not tried again."""

    def __init__(self, change: Job, refusals: deque[Exception]) -> None:
        self._change = change
        self._refusals = refusals

    def __call__(self) -> None:
        try:
            self._change()
        except MetsegError as error:
            self._refusals.append(error)


class EditWriter:
    """Commits edits and changes of one open case; ``notify`` is called, in any thread, when one was written or failed.

    napari's pool has as many threads as the computer has cores, and a network may occupy them all; a stroke must not
    wait for that. If an edit cannot be written it stays first in the queue, and is tried again with the next one, by
    :meth:`when_done`, and at the end.
    """

    def __init__(self, session: CaseSession, notify: Callable[[], object]) -> None:
        self._session = session
        self._notify = notify
        self._labels = session.labels.copy()
        self._jobs: deque[Job] = deque()
        self._one_at_a_time = threading.Lock()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="metseg-writer")
        self._refusals: deque[Exception] = deque()
        self._predictions: deque[Prediction] = deque(maxlen=1)
        self.failure: Exception | None = None
        self.written = 0

    @property
    def problem(self) -> str:
        """Why the first of the jobs that are not done could not be done; empty if nothing is wrong."""
        error = self.failure
        if error is None:
            return ""
        return str(error) if isinstance(error, MetsegError) else f"{type(error).__name__}: {error}"

    @property
    def waiting(self) -> int:
        """How many jobs are not done."""
        return len(self._jobs)

    def commit(self, edit: Edit) -> None:
        """Write an edit after all jobs before it."""
        self.submit(partial(self._commit, edit))

    def change_status(self, change: Job) -> None:
        """Do what changes the case's status after all jobs before it.

        If one of those cannot be done the status stays, and so it does if the session refuses the change: that is
        reported, and not tried again.
        """
        self.submit(_StatusChange(change, self._refusals))

    def submit(self, job: Job) -> None:
        """Do a job after all before it; it is tried again until it succeeds."""
        self._jobs.append(job)
        self.retry()

    def retry(self) -> None:
        """Try what is not done, in the thread."""
        self._in_thread(self._work)

    def when_done(self, then: Callable[[], object]) -> None:
        """Call ``then``, in any thread, once all jobs so far are done or one of them cannot be (:attr:`problem`)."""

        def work() -> None:
            self._work()
            then()

        self._in_thread(work)

    def flush(self) -> bool:
        """Do all jobs in the calling thread, which waits for the disk; ``False`` if one fails (:attr:`problem`)."""
        self._work()
        return not self._jobs

    def refused(self) -> list[Exception]:
        """Why changes of status were not made; each is given once."""
        return [self._refusals.popleft() for _ in range(len(self._refusals))]

    def prediction(self) -> Prediction | None:
        """A prediction that was written, as it is on the disk; it is given once."""
        return self._predictions.popleft() if self._predictions else None

    def close(self, otherwise: Callable[[str], object], refused: Callable[[str], object], *, wait: bool) -> None:
        """Do all jobs and close the session, before returning if it is to ``wait``.

        In any thread ``otherwise`` is called with the reason if some jobs cannot be done, and ``refused`` with that of
        each change of status that was not made.
        """
        self._notify = lambda: None
        end = partial(self._end, otherwise, refused)
        if wait:
            end()
        else:
            self._in_thread(end)
        self._threads.shutdown(wait=wait)

    def wait(self) -> None:
        """Wait until the session is closed; after :meth:`close`, in any thread."""
        self._threads.shutdown(wait=True)

    def _in_thread(self, action: Job) -> None:
        try:
            self._threads.submit(action)
        except RuntimeError:  # Python is about to end and starts no threads
            action()

    def _end(self, otherwise: Callable[[str], object], refused: Callable[[str], object]) -> None:
        self._work()
        try:
            for refusal in self.refused():
                refused(str(refusal))
            if self._jobs:
                otherwise(self.problem)
        finally:
            self._session.close()

    def _work(self) -> None:
        with self._one_at_a_time:
            done = False
            while self._jobs and self._attempt(self._jobs[0]):
                self._jobs.popleft()
                done = True
            if self.failure is not None:
                self._refuse_status_changes()
        if done or self.failure is not None:
            self._notify()

    def _attempt(self, job: Job) -> bool:
        try:
            job()
        except Exception as error:  # whatever it is: it stays in the queue, and it is reported
            self.failure = error
            return False
        self.failure = None
        self.written += 1
        return True

    def _commit(self, edit: Edit) -> None:
        self._labels[edit.box] = edit.block
        if edit.prediction_edit is None:
            self._session.commit(self._labels, edit.kind, detail=edit.detail)
        else:
            made = edit.prediction_edit
            self._session.predict(
                made.plan, made.probabilities, made.provenance, disagreement=made.disagreement, detail=edit.detail
            )
            with contextlib.suppress(MetsegError):  # it was written: it must not be written again
                self._predictions.extend(filter(None, [self._session.prediction()]))

    def _refuse_status_changes(self) -> None:
        """A status is not changed later than it was asked for: more may have been drawn by then."""
        for job in [job for job in tuple(self._jobs) if isinstance(job, _StatusChange)]:
            self._jobs.remove(job)
            case = self._session
            self._refusals.append(DataError(f"{case.name}: stays {case.status}, for it is not saved yet"))
