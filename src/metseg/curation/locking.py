"""One editor per case: a lock that the operating system takes back when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel

from metseg.curation.documents import read_document, write_document
from metseg.curation.record import now
from metseg.errors import CaseBusyError, DataError, UnreadableFileError

_POLL = 0.1


class Holder(BaseModel, frozen=True, extra="forbid"):
    """Who holds a lock; written beside it for people, never trusted."""

    pid: int
    host: str
    since: AwareDatetime
    annotator: str = ""

    def __str__(self) -> str:
        who = f" by {self.annotator}" if self.annotator else ""
        return f"process {self.pid} on {self.host}{who} since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"


class CaseLock:
    """The lock of one case: ``lock`` in its folder, and ``lock.json`` that says who holds it.

    Parameters
    ----------
    name : str
        Of the case, for messages.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._lock = FileLock(folder / "lock", thread_local=False)

    def acquire(self, *, annotator: str = "", timeout: float = 0.0) -> None:
        """Take the lock.

        Parameters
        ----------
        annotator : str
            Pseudonym shown to others.
        timeout : float
            Seconds to wait while somebody else holds it.

        Raises
        ------
        CaseBusyError
            If it is still held then.
        DataError
            If the folder is gone or read-only.
        """
        try:
            self._lock.acquire(timeout=timeout, poll_interval=_POLL)
        except Timeout as error:
            raise CaseBusyError(self._name, self._holder()) from error
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(
                f"{self._folder}: cannot be opened for editing: {reason}. "
                "A case in a read-only folder can be looked at (read_case), not edited"
            ) from error
        holder = Holder(pid=os.getpid(), host=platform.node(), since=now(), annotator=annotator)
        try:
            write_document(self._note, holder)
        except DataError:  # a full disk: better no name than that of the holder before
            self._forget()

    def release(self) -> None:
        """Let others in."""
        self._forget()
        with contextlib.suppress(OSError):  # of a folder that is gone; the lock went with it
            self._lock.release()

    @property
    def _note(self) -> Path:
        return self._folder / "lock.json"

    def _holder(self) -> str:
        try:
            return str(read_document(self._note, Holder))
        except UnreadableFileError:
            return "another program"

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self._note.unlink()
