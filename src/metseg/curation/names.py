"""Names of folders that every system can have."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def safe_name(name: str, longest: int | None = None) -> str:
    """``name`` as a folder that every system can have and that is not hidden; empty if nothing of it can stay.

    ``longest`` is a number of bytes in UTF-8, which is what file systems count.
    """
    usable = _UNSAFE.sub("_", name).strip(". ").encode("utf-8", "replace")
    return usable[:longest].decode("utf-8", "ignore").rstrip(". ")
