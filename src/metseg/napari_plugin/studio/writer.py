"""Commits edits to the disk in the order in which they were drawn: in one thread, or in that of whoever flushes."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from metseg.curation import CaseSession, Prediction
from metseg.errors import MetsegError
from metseg.napari_plugin.studio.case_labels import Edit

Job = Callable[[], object]


class Writer:
    """Commits edits and changes of one open case; ``notify`` is called, in any thread, when one was written or failed.

    napari's pool has as many threads as the computer has cores, and a network may occupy them all; a stroke must not
    wait for that. If an edit cannot be written it stays first in the queue, and is tried again with the next one, by
    :meth:`flush`, and at the end.
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
        """Do what changes the case's status after all jobs before it; a refusal is reported, and not tried again."""
        self.submit(partial(self._change_status, change))

    def submit(self, job: Job) -> None:
        """Do a job after all before it; it is tried again until it succeeds."""
        self._jobs.append(job)
        self.retry()

    def retry(self) -> None:
        """Try what is not done, in the thread."""
        try:
            self._threads.submit(self._work)
        except RuntimeError:  # Python is about to end and starts no threads
            self._work()

    def flush(self) -> bool:
        """Do all jobs in the calling thread; ``False`` if that fails (:attr:`problem` is why)."""
        self._work()
        return not self._jobs

    def refused(self) -> list[Exception]:
        """Why changes of status were not made; each is given once."""
        return [self._refusals.popleft() for _ in range(len(self._refusals))]

    def prediction(self) -> Prediction | None:
        """A prediction that was written, as it is on the disk; it is given once."""
        return self._predictions.popleft() if self._predictions else None

    def close(self, *, wait: bool) -> None:
        """Do all jobs as far as possible and close the session."""
        self._notify = lambda: None
        if wait:
            self._end()
        else:
            try:
                self._threads.submit(self._end)
            except RuntimeError:
                self._end()
        self._threads.shutdown(wait=wait)

    def wait(self) -> None:
        """Wait until the session is closed; after :meth:`close`, in any thread."""
        self._threads.shutdown(wait=True)

    def _end(self) -> None:
        self._work()
        self._session.close()

    def _work(self) -> None:
        with self._one_at_a_time:
            done = False
            while self._jobs and self._attempt(self._jobs[0]):
                self._jobs.popleft()
                done = True
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

    def _change_status(self, change: Job) -> None:
        try:
            change()
        except MetsegError as error:
            self._refusals.append(error)
