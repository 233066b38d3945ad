"""Where series of a PACS lie while napari is open: exports refer to their files. Gone when the process ends."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from pathlib import Path

_PREFIX = "metseg-pacs-"


def new_folder(name: str) -> Path:
    """A folder called ``name`` that is not there yet, readable to this user alone."""
    return Path(tempfile.mkdtemp(dir=_downloads().name)) / name


@functools.cache
def _downloads() -> tempfile.TemporaryDirectory[str]:
    _sweep(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed."""
    import psutil

    for path in folder.glob(f"{_PREFIX}*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", path.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)
