"""The door: a process of its own that takes connections, answers /livez, and hands every other one to the server.

Whoever watches the server asks /livez to learn whether it must be started anew. Answered by the server itself, that
waits behind all that its event loop has to do: forms that are taken apart, requests that are refused, threads that hold
the interpreter's lock. Here it is answered at once: 200 as long as the event loop gives signs of life, else 503.

The first bytes of a connection are looked at, not taken; connections go through a UNIX socket (``SCM_RIGHTS``). Run by
:mod:`metseg.server.serving`; imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import signal
import socket
import sys
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate

#: What the door says first: it listens.
READY = b"r"
#: Beside each connection that it hands over.
CONNECTION = b"c"
#: What the server says as long as its event loop runs.
BEAT = b"."
#: Seconds between two of them, and after how long without one the server does not live.
BEAT_SECONDS = 0.5
SILENCE_SECONDS = 30.0

_BACKLOG = 2048
#: Connections that are taken in one go, before the others are looked at.
_AT_ONCE = 64
_LONGEST_REQUEST = 1 << 14
_PAUSE_SECONDS = 0.1
_LIVEZ = re.compile(rb"GET /livez[ ?]")
_ID = re.compile(rb"\r\nx-request-id:[ \t]*([0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12})[ \t]*\r\n", re.IGNORECASE)


@dataclass(eq=False, slots=True)
class _Visitor:
    """A connection of which it is not known yet what it asks."""

    connection: socket.socket
    patience: asyncio.TimerHandle
    received: bytearray = field(default_factory=bytearray)


class Door:
    """Takes connections until the server closes its end of the channel.

    Parameters
    ----------
    channel : socket
        Leads to the server.
    listeners : list of socket
        Bound, not listening yet.
    seconds : float
        How long a client may take to begin its request.
    most : int
        Connections that may wait here.
    """

    def __init__(self, channel: socket.socket, listeners: list[socket.socket], *, seconds: float, most: int) -> None:
        self._channel = channel
        self._listeners = listeners
        self._seconds = seconds
        self._most = most
        self._visitors: dict[socket.socket, _Visitor] = {}
        self._leaving: deque[socket.socket] = deque()
        self._closing = False
        self._last_beat = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()

    async def run(self) -> None:
        """Listen, until the server closes the door or is gone."""
        for one in (self._channel, *self._listeners):
            one.setblocking(False)
        for listener in self._listeners:
            listener.listen(_BACKLOG)
            self._loop.add_reader(listener, self._take, listener)
        self._loop.add_reader(self._channel, self._hear)
        self._channel.send(READY)
        await self._done

    def _hear(self) -> None:
        try:
            said = self._channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            self._last_beat = time.monotonic()
        else:
            self._close()

    def _close(self) -> None:
        """Take no more connections; what has come until now belongs to the server."""
        self._closing = True
        self._loop.remove_reader(self._channel)
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            while self._take(listener):
                pass
            listener.close()
        for connection in list(self._visitors):
            self._hand_over(connection)
        self._send()

    def _take(self, listener: socket.socket) -> bool:
        """Take the connections that wait; whether there may be more."""
        for _ in range(_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM) and not self._closing:
                    self._loop.remove_reader(listener)
                    self._loop.call_later(_PAUSE_SECONDS, self._loop.add_reader, listener, self._take, listener)
                return False
            self._receive(connection)
        return True

    def _receive(self, connection: socket.socket) -> None:
        if len(self._visitors) + len(self._leaving) >= self._most:
            connection.close()
            return
        connection.setblocking(False)
        patience = self._loop.call_later(self._seconds, self._forget, connection)
        self._visitors[connection] = _Visitor(connection, patience)
        self._loop.add_reader(connection, self._look, connection)

    def _look(self, connection: socket.socket) -> None:
        """See what a connection asks."""
        visitor = self._visitors[connection]
        try:
            if not visitor.received and not _LIVEZ.match(connection.recv(16, socket.MSG_PEEK)):
                self._hand_over(connection)
                return
            part = connection.recv(_LONGEST_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        visitor.received += part
        if b"\r\n\r\n" in visitor.received:
            self._answer(connection, bytes(visitor.received))
        elif not part or len(visitor.received) > _LONGEST_REQUEST:
            self._forget(connection)

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        """Answer /livez; a client that does not take so little is not waited for."""
        with contextlib.suppress(OSError):
            connection.send(answer(request, lives=time.monotonic() - self._last_beat < SILENCE_SECONDS))
        self._forget(connection)

    def _release(self, connection: socket.socket) -> None:
        self._visitors.pop(connection).patience.cancel()
        self._loop.remove_reader(connection)

    def _forget(self, connection: socket.socket) -> None:
        self._release(connection)
        connection.close()

    def _hand_over(self, connection: socket.socket) -> None:
        self._release(connection)
        self._leaving.append(connection)
        if len(self._leaving) == 1:
            self._send()

    def _send(self) -> None:
        """Hand over as many connections as the server takes now; the others when it goes on."""
        while self._leaving:
            try:
                socket.send_fds(self._channel, [CONNECTION], [self._leaving[0].fileno()])
            except BlockingIOError:
                self._loop.add_writer(self._channel, self._send)
                return
            except OSError as error:
                if error.errno != errno.ETOOMANYREFS:
                    self._leaving.clear()
                    self._closing = True
                    break
                self._loop.remove_writer(self._channel)
                self._loop.call_later(_PAUSE_SECONDS, self._send)
                return
            self._leaving.popleft().close()
        self._loop.remove_writer(self._channel)
        if self._closing and not self._done.done():
            self._done.set_result(None)


def answer(request: bytes, lives: bool) -> bytes:
    """The answer to ``request`` for /livez, with all that the server's own answers have."""
    given = _ID.search(request)
    request_id = given[1].decode() if given else str(uuid.uuid4())
    content: dict[str, str | int] = {"status": "live"}
    if lives:
        status, kind = "200 OK", "application/json"
    else:
        status, kind = "503 Service Unavailable", "application/problem+json\r\nretry-after: 5"
        title, detail = "Service Unavailable", "the server does not go on; its process is there, but does not answer"
        content = {"type": "about:blank", "title": title, "status": 503, "detail": detail, "request_id": request_id}
    body = json.dumps(content, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status}\r\ndate: {formatdate(usegmt=True)}\r\ncontent-type: {kind}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


async def _main(seconds: str, most: str, channel: str, *listeners: str) -> None:
    there = [socket.socket(fileno=int(number)) for number in (channel, *listeners)]
    await Door(there[0], there[1:], seconds=float(seconds), most=int(most)).run()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # the server closes the door, not whoever ends the server
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_main(*sys.argv[1:]))
