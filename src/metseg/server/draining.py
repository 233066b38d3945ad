"""SIGTERM: first the server says that it is not ready, then it stops to listen, then it ends."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from metseg.server.logs import log


class Draining:
    """Whether the server is closing.

    Parameters
    ----------
    seconds : float
        How long it still takes requests after SIGTERM, so that whoever asks ``/readyz`` can send them elsewhere.
    """

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._seconds = seconds
        self._handlers: dict[int, Any] = {}

    def install(self) -> None:
        """Stand before the signal handlers of uvicorn; does nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):
                self._handlers[number] = before
                signal.signal(number, self._handler(loop, before))

    def restore(self) -> None:
        """Step aside again."""
        for number, before in self._handlers.items():
            signal.signal(number, before)
        self._handlers.clear()

    def _handler(
        self, loop: asyncio.AbstractEventLoop, before: Callable[[int, FrameType | None], Any]
    ) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            wait = self._seconds if number == signal.SIGTERM and not self.begun else 0.0
            self.begun = True
            loop.call_soon_threadsafe(self._begin, loop, wait, lambda: before(number, None))

        return handle

    def _begin(self, loop: asyncio.AbstractEventLoop, wait: float, then: Callable[[], object]) -> None:
        log("closing", seconds=wait)
        loop.call_later(wait, then)
