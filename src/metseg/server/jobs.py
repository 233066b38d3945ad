"""Whole studies that are asked for now and fetched later: a bounded number, kept for a bounded time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from threading import Lock

from metseg.events import Warned
from metseg.http_documents import JobDocument, JobState, NoticeDocument
from metseg.inference import Segmentation
from metseg.server.engine import Cancelled, Engine, QueueFullError, QueueSlot, Work
from metseg.server.logs import log
from metseg.server.problems import ProblemError, as_problem
from metseg.server.responses import SegmentedUpload, result_of
from metseg.server.upload_decoding import Decoded


@dataclass(eq=False)
class Job:
    """A study on its way.

    Attributes
    ----------
    id : str
        Cannot be guessed.
    state : JobState
        Where it is; queued and running are told apart by :attr:`Work.progress`.
    result : SegmentedUpload or None
        What came of it.
    problem : ProblemError or None
        Reason it failed.
    ended : float or None
        When, in seconds of :func:`time.monotonic`.
    """

    id: str
    work: Work
    future: Future[Segmentation]
    state: JobState = JobState.QUEUED
    result: SegmentedUpload | None = None
    problem: ProblemError | None = None
    ended: float | None = None

    def document(self, kept: float) -> JobDocument:
        """The job as clients see it; ``kept`` is how long it is kept after its end, in seconds."""
        state = self.state
        if state is JobState.QUEUED and (self.future.running() or self.work.progress.done):
            state = JobState.RUNNING
        left = None if self.ended is None else max(0.0, round(self.ended + kept - time.monotonic(), 1))
        return JobDocument(
            id=self.id,
            state=state,
            done=self.work.progress.done,
            total=self.work.progress.total,
            seconds_left=self.work.seconds_left if state is JobState.RUNNING else None,
            problem=None if self.problem is None else self.problem.detail,
            expires_in=left,
            notices=[
                NoticeDocument(text=text, warning=isinstance(notice, Warned))
                for text, notice in zip(self.work.messages, self.work.notices, strict=False)
            ],
        )


@dataclass(eq=False)
class Jobs:
    """The jobs of one server.

    Parameters
    ----------
    most : int
        Jobs that are kept; the one that ended longest ago makes room.
    mib : int
        Memory of all results together.
    seconds : float
        How long an ended job is kept.
    """

    engine: Engine
    most: int
    mib: int
    seconds: float
    _jobs: dict[str, Job] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def count(self) -> int:
        """Jobs that are kept."""
        return len(self._jobs)

    def make_room(self) -> None:
        """Forget what is old, and one ended job if there are too many; QueueFullError if none has ended."""
        with self._lock:
            self._forget_old()
            if len(self._jobs) >= self.most and not self._forget_one():
                raise QueueFullError(30)

    def add(self, decoded: Decoded, slot: QueueSlot, work: Work, future: Future[Segmentation], name: str = "") -> Job:
        """Keep account of work that was started, as the job ``name`` if that is not empty.

        Its slot is closed when it ends. If there is such a job by now, the work is given up for that.
        """
        job = Job(name or secrets.token_urlsafe(18), work, future)
        with self._lock:
            kept = self._jobs.setdefault(job.id, job)
        future.add_done_callback(self._ending(job, decoded, slot))
        if kept is not job:
            self.engine.cancel(work, future)
        return kept

    def find(self, name: str) -> Job | None:
        """The job ``name`` if there is one."""
        with self._lock:
            self._forget_old()
            return self._jobs.get(name)

    def get(self, name: str) -> Job:
        """The job ``name``; 404 if there is none, or it was forgotten."""
        job = self.find(name)
        if job is None:
            raise ProblemError(404, "no such job; jobs are forgotten some time after their end")
        return job

    def result(self, name: str) -> SegmentedUpload:
        """What came of the job ``name``; 404 if there is none, 409 if it has not ended, or why it failed."""
        job = self.get(name)
        if job.problem is not None:
            raise job.problem
        if job.result is None:
            raise ProblemError(409, "the job has not ended; ask for its progress", {"Retry-After": "1"})
        return job.result

    def remove(self, name: str) -> Job:
        """Give the job ``name`` up, or forget its result; it is not there afterwards.

        404 if there is none.
        """
        job = self.get(name)
        with self._lock:
            self._jobs.pop(name, None)
            job.state, job.result, job.ended = JobState.CANCELLED, None, time.monotonic()
        self.engine.cancel(job.work, job.future)
        return job

    def close(self) -> None:
        """Give up every job."""
        for name in list(self._jobs):
            self.remove(name)

    def _ending(self, job: Job, decoded: Decoded, slot: QueueSlot) -> Callable[[Future[Segmentation]], None]:
        def end(future: Future[Segmentation]) -> None:
            try:
                result = result_of(decoded, future.result(), job.work.model.name, job.work.messages)
            except (CancelledError, Cancelled):
                self._end(job, JobState.CANCELLED)
            except Exception as error:  # the job must end, whatever happened
                job.problem = as_problem(error)
                if job.problem.status == 500:
                    log("job failed", 40, error)
                self._end(job, JobState.FAILED)
            else:
                self._end(job, JobState.FINISHED, result)
            finally:
                slot.close()

        return end

    def _end(self, job: Job, state: JobState, result: SegmentedUpload | None = None) -> None:
        with self._lock:
            if job.state is JobState.CANCELLED:
                return
            job.state, job.result, job.ended = state, result, time.monotonic()
            while sum(one.result.nbytes for one in self._jobs.values() if one.result) > self.mib << 20:
                if not self._forget_one(but=job):
                    break

    def _forget_old(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.ended is not None and now - job.ended > self.seconds:
                del self._jobs[job.id]

    def _forget_one(self, but: Job | None = None) -> bool:
        """Forget the job that ended longest ago; ``False`` if there is none."""
        ended = [job for job in self._jobs.values() if job.ended is not None and job is not but]
        if not ended:
            return False
        del self._jobs[min(ended, key=lambda job: job.ended or 0.0).id]
        return True
