"""Names of folders that every system can have."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def safe_name(name: str, longest: int | None = None) -> str:
    """``name`` as a folder that every system can have and that is not hidden; empty if nothing of it can stay."""
    return _UNSAFE.sub("_", name).strip(". ")[:longest].rstrip(". ")
