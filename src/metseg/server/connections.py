"""HTTP connections that end when a client does not speak: uvicorn bounds the time between requests, not within one."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from metseg.server.settings import Settings, settings_from_environment


@lru_cache(maxsize=1)
def _settings() -> Settings:
    return settings_from_environment()


class PatientProtocol(H11Protocol):
    """A connection that has a bounded time for each request's headers, and is one of a bounded number.

    For ``uvicorn --http metseg.server.connections:PatientProtocol``; limits are those of
    :class:`metseg.server.Settings` in the environment.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close at once where there are too many."""
        settings = _settings()
        super().connection_made(transport)
        if len(self.connections) > settings.connections:
            transport.abort()
            return
        self._seconds = settings.headers_seconds
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; if that is the begin of headers, their end must follow in time."""
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._patience is None:
            self._await_headers()

    def on_response_complete(self) -> None:
        """Between requests uvicorn's own limit holds, see ``timeout_keep_alive``."""
        self._stop_waiting()
        super().on_response_complete()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _await_headers(self) -> None:
        self._patience = self.loop.call_later(self._seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self._is_answering():
            self.transport.abort()
