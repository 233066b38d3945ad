"""The small JSON files of a project: read as the models they are, written whole."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from metseg.errors import DataError, UnreadableFileError
from metseg.study import write_atomically

_MAX_BYTES = 64 << 20

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and go on",
    errno.EDQUOT: "your share of the disk is used up; free some space and go on",
    errno.EFBIG: "the file may not grow further; raise the limit and go on",
    errno.EROFS: "the folder is read-only; make it writable and go on",
    errno.EACCES: "the folder is read-only; make it writable and go on",
    errno.EPERM: "the folder is read-only; make it writable and go on",
    errno.ENOENT: "the folder is gone; put it back where it was and go on, or save the labels elsewhere",
}

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
    text = document.model_dump_json(indent=2) + "\n"
    try:
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from error


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


def unwritable(path: Path, error: OSError) -> DataError:
    """What the user is told when a change could not be kept."""
    advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return DataError(f"{path}: cannot be written: {advice} (what is on the disk is as it was)")
