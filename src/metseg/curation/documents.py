"""The small JSON files of a project: read as the models they are, written whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from metseg.errors import UnreadableFileError
from metseg.study import read_errors, write_errors, write_text

_MAX_BYTES = 64 << 20

Document = TypeVar("Document", bound=BaseModel)


def read_document(path: Path, model: type[Document]) -> Document:
    """The JSON file at ``path``; UnreadableFileError if it is missing, damaged, or not such a document."""
    with read_errors(path), path.open("rb") as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise UnreadableFileError(path, "too long; it was not read")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False)
        later = next((one["input"] for one in found if one["loc"] == ("version",)), None)
        if isinstance(later, int):
            reason = f"in format {later}, of another version of metseg; update metseg to open it"
        else:
            where = ".".join(map(str, found[0]["loc"])) or "file"
            reason = f"damaged, or of another version of metseg ({where}: {found[0]['msg']})"
        raise UnreadableFileError(path, reason) from error


def write_document(path: Path, document: BaseModel) -> None:
    """Write ``document`` in one step; DataError if it cannot be written."""
    write_text(path, document.model_dump_json(indent=2) + "\n")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON in one step; its folder is made. DataError if it cannot be written."""
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
