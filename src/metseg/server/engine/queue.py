"""Studies that wait for a network, a bounded number of them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from metseg.errors import MetsegError
from metseg.events import Finished, Notice, Progress, RemainingTime
from metseg.inference import Closeable, Segmentation
from metseg.lesions import PostprocessingConfig
from metseg.server.engine.model_thread import Cancelled
from metseg.server.engine.runner import Runner
from metseg.server.engine.work import LoadedModel, Work
from metseg.study import Study

#: Studies that may be held in memory at once, in multiples of the largest one that is taken.
_LARGE_STUDIES = 4
_LONGEST_WAIT = 120
_SMOOTHING = 0.1


class QueueFullError(MetsegError):
    """As many studies as are taken are waiting already.

    Parameters
    ----------
    seconds : int
        When it is worth to try again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the server is busy; try again in {seconds} s")
        self.seconds = seconds


class QueueSlot(Closeable):
    """One study's place in the queue; closing it makes room for another.

    Made by :meth:`Engine.admit`.
    """

    def __init__(self, release: Callable[[QueueSlot], None]) -> None:
        self.samples = 0
        self._release: Callable[[QueueSlot], None] | None = release

    def close(self) -> None:
        """Give the place back; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release(self)


class Engine:
    """The one queue in front of the networks.

    Parameters
    ----------
    runner : Runner
        What runs them.
    waiting : int
        Most studies in the queue.
    samples : int
        Values of the largest study.
    """

    def __init__(self, runner: Runner, *, waiting: int, samples: int) -> None:
        self._runner = runner
        self._most = waiting
        self._most_samples = _LARGE_STUDIES * samples
        self._pool = ThreadPoolExecutor(runner.at_once, thread_name_prefix="metseg-study")
        self._lock = threading.Lock()
        self._slots = 0
        self._samples = 0
        self._seconds = 0.0

    @property
    def slots(self) -> int:
        """Studies in the queue, or on their way into it."""
        return self._slots

    def close(self) -> None:
        """End the threads, once what runs in them has ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def admit(self) -> QueueSlot:
        """Take a place in the queue; QueueFullError if there is none."""
        with self._lock:
            self.check_room()
            self._slots += 1
        return QueueSlot(self._release)

    def check_room(self) -> None:
        """See whether there is a place in the queue now; QueueFullError if there is none."""
        if self._slots >= self._most:
            raise QueueFullError(self._wait())

    def hold(self, slot: QueueSlot, study: Study) -> None:
        """Count a study's memory; QueueFullError if too much is held already."""
        with self._lock:
            if self._samples and self._samples + study.voxels.size > self._most_samples:
                raise QueueFullError(self._wait())
            slot.samples = study.voxels.size
            self._samples += slot.samples

    def start(
        self, study: Study, model: LoadedModel, postprocessing: PostprocessingConfig
    ) -> tuple[Work, Future[Segmentation]]:
        """Put a study into the queue; its slot must be kept until the future is done."""
        work = Work(study, model, postprocessing, Progress(0, study.shape[0]))
        return work, self._pool.submit(self._run, work)

    def cancel(self, work: Work, future: Future[Segmentation]) -> None:
        """Give a study up: it leaves the queue at once, and the network after the batch it is in."""
        work.cancelled.set()
        future.cancel()
        self._runner.withdraw(work)

    def _release(self, slot: QueueSlot) -> None:
        with self._lock:
            self._slots -= 1
            self._samples -= slot.samples

    def _wait(self) -> int:
        """Seconds after which there may be room."""
        return min(max(1, math.ceil(self._slots * self._seconds / 2)), _LONGEST_WAIT)

    def _run(self, work: Work) -> Segmentation:
        started = time.monotonic()
        try:
            return self._segment(work)
        finally:
            took = (time.monotonic() - started) / self._runner.at_once
            self._seconds += _SMOOTHING * (took - self._seconds)

    def _segment(self, work: Work) -> Segmentation:
        remaining = RemainingTime()
        with closing(self._runner.stream(work)) as events:
            for event in events:
                if work.cancelled.is_set():
                    raise Cancelled("the request was given up")
                match event:
                    case Progress():
                        work.progress, work.seconds_left = event, remaining.seconds(event)
                    case Notice():
                        work.notices.append(event)
                    case Finished(result):
                        return result
        raise RuntimeError("the segmentation ended without a result")
