"""Images that a client sends to have them outlined, without a place in the project."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import BinaryIO

from metseg.server.problems import ProblemError

#: More are not kept: the one not used for longest goes.
_MOST = 16
#: Seconds after the last use.
EXPIRY = 8 * 3600


@dataclass(slots=True)
class ImageSession:
    """An image that was sent.

    Attributes
    ----------
    created, used : float
        Seconds since 1970.
    """

    id: str
    path: Path
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)


class Sessions:
    """The sessions of one server; their files go when it ends."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="metseg-sessions-", ignore_cleanup_errors=True)
        self._sessions: OrderedDict[str, ImageSession] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Forget every image."""
        self._folder.cleanup()

    def add(self, upload: BinaryIO) -> ImageSession:
        """Keep an image."""
        name = secrets.token_urlsafe(18)
        session = ImageSession(name, Path(self._folder.name, name))
        upload.seek(0)
        with session.path.open("xb") as file:
            copyfileobj(upload, file, 1 << 20)
        with self._lock:
            self._forget_old(room_for=1)
            self._sessions[name] = session
        return session

    def get(self, name: str) -> ImageSession:
        """The session ``name``, which is used now; 404 if there is none, or none any more."""
        with self._lock:
            self._forget_old()
            if name not in self._sessions:
                raise ProblemError(404, "there is no such session (any more); send the image again")
            session = self._sessions[name]
            session.used = time.time()
            self._sessions.move_to_end(name)
            return session

    def remove(self, name: str) -> ImageSession:
        """Forget a session; 404 if there is none."""
        session = self.get(name)
        with self._lock:
            self._drop(name)
        return session

    def _forget_old(self, room_for: int = 0) -> None:
        expired = [name for name, session in self._sessions.items() if session.used + EXPIRY < time.time()]
        excess = max(0, len(self._sessions) - len(expired) + room_for - _MOST)
        kept = [name for name in self._sessions if name not in expired]
        for name in (*expired, *kept[:excess]):
            self._drop(name)

    def _drop(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.path.unlink(missing_ok=True)
