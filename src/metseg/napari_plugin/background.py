"""Work in a thread, the newest request first, and work of the window's thread in small pieces."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable, Generator
from typing import Any

from napari.qt.threading import WorkerBase, create_worker
from qtpy.QtCore import QTimer

from metseg.napari_plugin.state import ConnectionMixin

#: Milliseconds that a process which wants to end waits for its threads: an import of torch, or a network's few slices.
_PATIENCE = 60_000
#: Milliseconds of rest before a moved slider or a brush stroke is acted on, so that undo holds one step for it.
REST = 150


def start(worker: WorkerBase) -> None:
    """Start ``worker``, and let the process wait for it before it ends.

    napari waits when its event loop ends. A process without one (a script, a notebook, Python's prompt) would take the
    signals from under the thread, and Qt answers that with an abort.
    """
    _wait_at_exit()
    worker.start()


@functools.cache
def _wait_at_exit() -> None:
    """Have every worker asked to quit and waited for before Qt cleans up: what is registered last runs first."""
    atexit.register(WorkerBase.await_workers, _PATIENCE)


class LatestOnlyWorker:
    """Runs functions one after the other in a thread; of requests that wait, only the newest is kept.

    ``done`` is called in the window's thread with the result, unless a newer request waits; ``failed`` with the error.
    """

    def __init__(self, done: Callable[[Any], object], failed: Callable[[Exception], object]) -> None:
        self._done = done
        self._failed = failed
        self._waiting: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
        self._worker: Any = None

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return self._worker is not None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run ``function(*arguments)`` as soon as what runs now has ended."""
        self._waiting = (function, arguments)
        if self._worker is None:
            self._start()

    def forget(self) -> None:
        """Drop what waits, and the result of what runs."""
        self._waiting = None
        if self._worker is not None:
            self._worker.returned.disconnect(self._on_returned)
            self._worker.quit()
            self._worker = None

    def _start(self) -> None:
        if self._waiting is None:
            return
        function, arguments = self._waiting
        self._waiting = None
        self._worker = create_worker(_attempt, function, arguments, _start_thread=False, _ignore_errors=True)
        self._worker.returned.connect(self._on_returned)
        start(self._worker)

    def _on_returned(self, outcome: tuple[Any, Exception | None]) -> None:
        self._worker = None
        result, error = outcome
        if error is not None:
            self._failed(error)
        elif self._waiting is None:
            self._done(result)
        self._start()


def delayed(action: Callable[[], object], milliseconds: int = REST) -> QTimer:
    """A timer that calls ``action`` once when it was started and then left alone for so long."""
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(action)
    return timer


class WorkerMixin(ConnectionMixin):
    """Listens to signals, and works later or in threads, until it is closed."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._workers: list[LatestOnlyWorker] = []
        self._timers: list[QTimer] = []

    def worker(self, done: Callable[[Any], object], failed: Callable[[Exception], object]) -> LatestOnlyWorker:
        """A worker that counts as work, and is stopped at the end."""
        self._workers.append(LatestOnlyWorker(done, failed))
        return self._workers[-1]

    def delayed(self, action: Callable[[], object], milliseconds: int = REST) -> QTimer:
        """A timer of :func:`delayed` that counts as work, and is stopped at the end."""
        self._timers.append(delayed(action, milliseconds))
        return self._timers[-1]

    @property
    def busy(self) -> bool:
        """Whether anything is under way or about to be."""
        return any(worker.busy for worker in self._workers) or any(timer.isActive() for timer in self._timers)

    def close(self) -> None:
        """Stop work and listening."""
        self.unfollow()
        for worker in self._workers:
            worker.forget()
        for timer in self._timers:
            timer.stop()


def _attempt(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return function(*arguments), None
    except Exception as error:  # whatever it is: it is handed to the window's thread
        return None, error


Steps = Generator[None, None, None]


class ChunkedTask:
    """Runs a generator, one step in each turn of the event loop; at most one generator at a time."""

    def __init__(self) -> None:
        self._steps: Steps | None = None
        self._stepping = False
        self._next = delayed(self._step, 0)

    @property
    def busy(self) -> bool:
        """Whether there are steps left."""
        return self._steps is not None

    def run(self, steps: Steps) -> None:
        """Take the first step of ``steps`` now, and the others later; what ran before is stopped."""
        self.stop()
        self._steps = steps
        self._step()

    def stop(self) -> None:
        """Take no further step."""
        self._next.stop()
        steps, self._steps = self._steps, None
        if steps is not None and not self._stepping:
            steps.close()

    def _step(self) -> None:
        steps = self._steps
        if steps is None or self._stepping:
            return
        self._stepping = True
        try:
            next(steps)
        except BaseException as error:
            self._steps = None if self._steps is steps else self._steps
            if not isinstance(error, StopIteration):
                raise
        finally:
            self._stepping = False
        if self._steps is not steps:  # it is over, or was stopped while it took the step
            steps.close()
        if self._steps is not None:
            self._next.start()
