"""Writing files so that a crash at any moment leaves the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from metseg.errors import DataError, UnreadableFileError

#: How the names of unfinished files begin; hidden, so that no reader takes them for data.
TEMPORARY_PREFIX = ".metseg-tmp-"

_NAME = re.compile(re.escape(TEMPORARY_PREFIX) + r"([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}-")
_DAY = 86_400.0
_MAX_TAIL = 40
#: What is wrong, and what a user can do about it.
_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and go on",
    errno.EDQUOT: "your share of the disk is used up; free some space and go on",
    errno.EFBIG: "the file may not grow further; raise the limit and go on",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "the folder is read-only; make it writable and go on"),
    errno.ENOENT: "the folder is gone; put it back where it was and go on, or save elsewhere",
}


@contextlib.contextmanager
def read_errors(path: str | Path) -> Iterator[None]:
    """Turn an OSError into an UnreadableFileError of ``path``."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def write_errors(path: str | Path) -> Iterator[None]:
    """Turn an OSError into a DataError that says why ``path`` cannot be written, and what can be done about it."""
    try:
        yield
    except OSError as error:
        why = ": ".join(filter(None, (error.strerror or str(error), _ADVICE.get(error.errno or 0))))
        raise DataError(f"{path}: cannot be written: {why} (what is on the disk is as it was)") from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex; UnreadableFileError if they cannot be read."""
    with read_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Replace a file in one step.

    Yields a temporary path in the same folder, with the same suffix. When the block ends it is flushed to the disk
    and takes the place of ``path``; when the block raises it is removed and ``path`` stays as it was.

    Parameters
    ----------
    path : str or Path
        File to create or replace. Links are followed; permissions of an existing file are kept.

    Yields
    ------
    Path
        Write to this. It exists and is empty.

    Raises
    ------
    DataError
        If the folder does not exist or may not be written to, the disk is full, or the block raises an OSError.
    """
    target = Path(os.path.realpath(path))
    _sweep_once(target.parent)
    name = f"{TEMPORARY_PREFIX}{_host()}-{os.getpid()}-{secrets.token_hex(4)}-{target.name[-_MAX_TAIL:]}"
    temporary = target.with_name(name)
    with write_errors(path):
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with write_errors(path):
            if target.exists():
                shutil.copymode(target, temporary)
            yield temporary
            _flush(temporary, os.O_RDWR)
            os.replace(temporary, target)
            flush_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 in one step, lines ended by line feeds; DataError if it cannot be written."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode())


def sweep_leftovers(folder: str | Path) -> list[Path]:
    """Remove temporary files that writers left in ``folder`` when they were killed.

    A writer of this computer that still runs keeps its files; those of other computers (on a shared disk) are kept
    for a day.
    """
    removed: list[Path] = []
    try:
        names = [name for name in os.listdir(folder) if name.startswith(TEMPORARY_PREFIX)]
    except OSError:
        return removed
    for name in names:
        path = Path(folder, name)
        with contextlib.suppress(OSError):
            if _is_leftover(path):
                path.unlink()
                removed.append(path)
    return removed


@lru_cache(maxsize=1024)
def _sweep_once(folder: Path) -> None:
    sweep_leftovers(folder)


def _is_leftover(path: Path) -> bool:
    match = _NAME.match(path.name)
    if match is None:
        return False
    if time.time() - path.stat().st_mtime > _DAY:
        return True
    return match[1] == _host() and not _is_running(int(match[2]))


def _is_running(process: int) -> bool:
    if os.name != "posix":  # elsewhere os.kill would end the process instead of asking for it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@lru_cache(maxsize=1)
def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _flush(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Put the names of what was made or moved in a folder on the disk, where the system can do that."""
    if os.name == "posix":  # elsewhere a folder cannot be opened for this
        _flush(folder, os.O_RDONLY)
