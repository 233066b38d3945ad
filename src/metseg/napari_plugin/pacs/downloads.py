"""Where series of a PACS lie while napari is open: exports refer to their files. Gone when the process ends."""

from __future__ import annotations

import functools
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _LOCK = "metseg-pacs-", "in-use.lock"


def new_folder(name: str) -> Path:
    """A folder called ``name`` that is not there yet, readable to this user alone."""
    return Path(tempfile.mkdtemp(dir=downloads())) / name


def downloads() -> Path:
    """The folder of all that this process fetched."""
    return Path(_held()[0].name)


@functools.cache
def _held() -> tuple[tempfile.TemporaryDirectory[str], FileLock]:
    _sweep(Path(tempfile.gettempdir()))
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    lock = FileLock(Path(folder.name) / _LOCK)
    lock.acquire()
    return folder, lock


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed: nobody holds its lock."""
    for lock in folder.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(lock.parent, ignore_errors=True)
