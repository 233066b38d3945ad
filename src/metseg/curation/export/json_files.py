"""Small files of text, written in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metseg.curation.documents import unwritable
from metseg.study import write_atomically


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON; raises DataError if it cannot be written."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8, lines ended by line feeds; folders are made. Raises DataError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary:
            temporary.write_bytes(text.encode())
    except OSError as error:
        raise unwritable(path, error) from error
