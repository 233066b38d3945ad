"""The small JSON files of a project: read as the models they are, written whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from metseg.errors import UnreadableFileError
from metseg.study import write_atomically

_MAX_BYTES = 64 << 20

Document = TypeVar("Document", bound=BaseModel)


def read_document(path: Path, model: type[Document]) -> Document:
    """The JSON file at ``path``.

    Raises
    ------
    UnreadableFileError
        If it is missing, damaged, or not such a document.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error
    if len(text) > _MAX_BYTES:
        raise UnreadableFileError(path, "too long; it was not read")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise UnreadableFileError(
            path, f"damaged, or of another version of metseg ({where}: {first['msg']})"
        ) from error


def write_document(path: Path, document: BaseModel) -> None:
    """Write ``document`` in one step.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    with write_atomically(path) as temporary:
        temporary.write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes.

    Raises
    ------
    UnreadableFileError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error
