"""Which server the page calls: the one that METSEG_SERVER names, else one of its own."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import subprocess
import sys
import threading

from metseg import DEFAULT_MODEL
from metseg.client import Address
from metseg.errors import ServerDownError

_HOST = "127.0.0.1"
_END_SECONDS = 20
_lock = threading.Lock()
_server: LocalServer | None = None


class LocalServer:
    """``metseg serve`` as a process on a free port of this computer, with a token that only this process knows.

    Its messages go where this process's go.

    Parameters
    ----------
    model : str
        Used unless a request names another.
    """

    def __init__(self, model: str) -> None:
        port = _free_port()
        token = os.environ.get("METSEG_TOKEN") or secrets.token_urlsafe(32)
        command = [sys.executable, "-m", "metseg.cli", "serve", "--host", _HOST, "--port", str(port), "--model", model]
        self.address = Address(f"http://{_HOST}:{port}", token)
        # S603: our own interpreter and our own module.
        self._process = subprocess.Popen(command, env={**os.environ, "METSEG_TOKEN": token})  # noqa: S603

    def check_alive(self) -> None:
        """Return if the process runs; ServerDownError if it has ended."""
        status = self._process.poll()
        if status is not None:
            raise ServerDownError(f"the server that this page started has ended with status {status}")

    def stop(self) -> None:
        """End the process, by force if it does not listen."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def own_server() -> LocalServer:
    """The one server of this process, with METSEG_MODEL; started when first asked for, stopped at the end."""
    global _server
    with _lock:
        if _server is None:
            _server = LocalServer(os.environ.get("METSEG_MODEL") or DEFAULT_MODEL)
            atexit.register(_server.stop)
        return _server


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port: int = free.getsockname()[1]
        return port


def server_address() -> Address:
    """Where the server is; a server of our own is started if none is named."""
    named = os.environ.get("METSEG_SERVER")
    if named:
        return Address(named.rstrip("/"), os.environ.get("METSEG_TOKEN") or None)
    return own_server().address


def own_server_is_starting() -> bool:
    """Whether there is no server yet because our own still starts; ServerDownError if our own has ended."""
    if os.environ.get("METSEG_SERVER"):
        return False
    own_server().check_alive()
    return True
