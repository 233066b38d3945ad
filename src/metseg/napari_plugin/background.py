"""Work in a thread, the newest request first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker


class Latest:
    """Runs functions one after the other in a thread; of requests that wait, only the newest is kept.

    Parameters
    ----------
    done : callable
        Called in the window's thread with the result, unless a newer request waits.
    failed : callable
        Called in the window's thread with the exception.
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
        self._done = self._failed = _nothing

    def _start(self) -> None:
        if self._waiting is None:
            return
        function, arguments = self._waiting
        self._waiting = None
        self._worker = create_worker(_attempt, function, arguments, _start_thread=False, _ignore_errors=True)
        self._worker.returned.connect(self._on_returned)
        self._worker.start()

    def _on_returned(self, outcome: tuple[Any, Exception | None]) -> None:
        self._worker = None
        result, error = outcome
        if error is not None:
            self._failed(error)
        elif self._waiting is None:
            self._done(result)
        self._start()


def _attempt(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


def _nothing(_: object) -> None:
    return None
