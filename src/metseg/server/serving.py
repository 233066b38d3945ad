"""``metseg serve``: uvicorn behind a door, see :mod:`metseg.server.door`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys

import uvicorn

from metseg.server.door import BEAT, BEAT_SECONDS
from metseg.server.logs import log
from metseg.server.settings import settings_from_environment

#: Connections without a request are closed after that many seconds.
_IDLE_SECONDS = 20
_STARTUP_FAILURE = 3
#: How long the door may take to open, and to close.
_OPENING_SECONDS = 300.0
_CLOSING_SECONDS = 30.0
#: What is handed over last is read before connections without a request are closed.
_SETTLE_SECONDS = 0.05


def serve(host: str, port: int) -> None:
    """Serve :data:`metseg.server.app` with the settings in the environment until Ctrl-C or SIGTERM.

    Raises
    ------
    SystemExit
        If the server could not be started.
    """
    config = uvicorn.Config(
        "metseg.server:app",
        host=host,
        port=port,
        loop="asyncio",
        http="metseg.server.connections:PatientProtocol",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=int(settings_from_environment().grace_seconds),
    )
    server = _ServerBehindDoor(config) if hasattr(socket, "send_fds") else uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILURE)


class _ServerBehindDoor(uvicorn.Server):
    """A server that does not listen itself: its connections come from the door."""

    _listeners: list[socket.socket]
    _channel: socket.socket
    _process: subprocess.Popen[bytes]
    _beating: asyncio.Task[None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then open the door."""
        await super().startup(sockets=[])
        self.started = False
        self._closing = False
        self._arriving: set[asyncio.Task[None]] = set()
        try:
            self._listeners = await self._bound()
        except OSError as error:
            logging.getLogger("uvicorn.error").error(error)
            await self.lifespan.shutdown()
            sys.exit(_STARTUP_FAILURE)
        self._open()
        await asyncio.wait_for(self._ready.wait(), _OPENING_SECONDS)
        self._beating = asyncio.create_task(self._beat())
        self._log_started_message(self._listeners)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, take what stands in it, then end as uvicorn does."""
        self._closing = True
        self._beating.cancel()
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        for listener in self._listeners:
            listener.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), _CLOSING_SECONDS)
        self._process.kill()
        self._process.wait()
        await asyncio.gather(*self._arriving)
        await asyncio.sleep(_SETTLE_SECONDS)
        await super().shutdown(sockets=[])

    async def _bound(self) -> list[socket.socket]:
        """Sockets of the server's address, as asyncio binds them; nobody listens to them yet."""
        loop = asyncio.get_running_loop()
        bound = await loop.create_server(asyncio.Protocol, self.config.host, self.config.port, start_serving=False)
        try:
            return [one.dup() for one in bound.sockets]
        finally:
            bound.close()

    def _open(self) -> None:
        """Start the door's process."""
        self._ready, self._gone = asyncio.Event(), asyncio.Event()
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        settings = settings_from_environment()
        handed = [theirs.fileno(), *(listener.fileno() for listener in self._listeners)]
        command = [sys.executable, "-m", "metseg.server.door", str(settings.headers_seconds), str(settings.connections)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  (this program, without a shell)
                [*command, *map(str, handed)],
                pass_fds=handed,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name != "METSEG_TOKEN"},
            )
        asyncio.get_running_loop().add_reader(self._channel, self._hear)

    def _hear(self) -> None:
        """Take one connection from the door, or hear that it is ready or gone."""
        try:
            said, numbers, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            said, numbers = b"", []
        if not said:
            self._lose_door()
        for number in numbers:
            arriving = asyncio.create_task(self._connect(socket.socket(fileno=number)))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)
        if said and not numbers:
            self._ready.set()

    def _lose_door(self) -> None:
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        self._gone.set()
        if self._closing:
            return
        self._process.kill()
        self._process.wait()
        if self._ready.is_set():
            log("the door was lost and is opened anew", logging.ERROR)
            self._open()
        else:
            log("the door cannot be opened", logging.ERROR)
            self._ready.set()
            self.should_exit = True

    async def _connect(self, connection: socket.socket) -> None:
        """Make a connection one of uvicorn's."""
        connection.setblocking(False)
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )
            return made

        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(protocol, connection)

    async def _beat(self) -> None:
        """Give the door signs of life."""
        while True:
            with contextlib.suppress(OSError):
                self._channel.send(BEAT)
            await asyncio.sleep(BEAT_SECONDS)
