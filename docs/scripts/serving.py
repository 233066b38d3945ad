"""What the scripts beside this one share: a place for a server, and waiting until it is there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx


def free_port() -> int:
    """A port of this computer at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_ready(url: str, log: Path, has_ended: Callable[[], object], seconds: float = 600) -> None:
    """Wait until a server answers /readyz with 200.

    Raises
    ------
    RuntimeError
        With the end of its log, if it has ended or is not ready within ``seconds``.
    """
    until = time.monotonic() + seconds
    while not _is_ready(url):
        if has_ended() or time.monotonic() > until:
            raise RuntimeError(f"the server did not become ready: {log.read_text()[-3000:]}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
