"""Walk the image file directories of a TIFF or BigTIFF without trusting a single number in it.

Only headers are read here, never pixels. Every count and offset is checked against the file before
anything is read or allocated, so that a header of a few bytes cannot ask for gigabytes or for ever.
Layout after "TIFF Revision 6.0" (Adobe, 1992), section 2, and the BigTIFF extension of libtiff.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from metseg.errors import TooLargeError, UnreadableFileError

MAX_PAGES = 4096
MAX_ENTRIES_PER_PAGE = 1024
MAX_ENTRIES = 131_072
MAX_TEXT = 1 << 20
MAX_BLOB = 1 << 16

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}

ByteOrder = Literal["<", ">"]


@dataclass(frozen=True, slots=True)
class TagEntry:
    """One tag: its type, how many values it has, and where in the file they begin."""

    type: int
    count: int
    where: int


class TiffFileHandle:
    """An open TIFF of known size; every read is bounded by it.

    Parameters
    ----------
    path : Path
        The file, for messages.

    Raises
    ------
    UnreadableFileError
        If the file is empty or does not begin as a TIFF does.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        if self.size == 0:
            raise self.error("the file is empty")
        head = file.read(16)
        self.byteorder: ByteOrder = ">" if head[:2] == b"MM" else "<"
        if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise self.error("not a TIFF file")
        self.big = b"+" in head[2:4]
        if len(head) < (16 if self.big else 8):
            raise self.error("cut short: the file ends inside its header")
        if self.big and struct.unpack(self.byteorder + "HH", head[4:8]) != (8, 0):
            raise self.error("damaged: the BigTIFF header is not valid")
        link, where = ("Q", 8) if self.big else ("I", 4)
        self._first = int(struct.unpack_from(self.byteorder + link, head, where)[0])

    def error(self, reason: str) -> UnreadableFileError:
        """The named error for this file."""
        return UnreadableFileError(self.path, reason)

    def too_large(self, reason: str) -> TooLargeError:
        """The named error for this file if it would take too much memory."""
        return TooLargeError(self.path, reason)

    def read(self, where: int, length: int, what: str) -> bytes:
        """``length`` bytes at offset ``where``; an error that names ``what`` if they are not all there."""
        if where < 8 or where + length > self.size:
            raise self.error(f"cut short or damaged: {what} lies outside the file ({self.size} bytes)")
        self._file.seek(where)
        data = self._file.read(length)
        if len(data) != length:
            raise self.error(f"cut short while it was read: {what} is not complete")
        return data

    def directories(self) -> Iterator[Directory]:
        """Every page's directory, in order.

        Raises
        ------
        UnreadableFileError
            If the chain has no page, loops or leaves the file.
        TooLargeError
            If it is longer than any head needs.
        """
        here, seen, entries = self._first, set[int](), 0
        if here == 0:
            raise self.error("the file holds no page")
        while here:
            page = len(seen) + 1
            if here in seen:
                raise self.error(f"damaged: the list of pages runs in a loop after page {len(seen)}")
            if page > MAX_PAGES:
                raise self.too_large(f"more than {MAX_PAGES} pages")
            seen.add(here)
            directory, here = self._directory(here, page)
            entries += len(directory.entries)
            if entries > MAX_ENTRIES:
                raise self.error("damaged: more header entries than any image needs")
            yield directory

    def _directory(self, where: int, page: int) -> tuple[Directory, int]:
        what = f"the header of page {page}"
        count_size, entry_size, link = (8, 20, "Q") if self.big else (2, 12, "I")
        (count,) = struct.unpack(self.byteorder + ("Q" if self.big else "H"), self.read(where, count_size, what))
        if not 0 < count <= MAX_ENTRIES_PER_PAGE:
            raise self.error(f"damaged: {what} claims {count} entries")
        start = where + count_size
        block = self.read(start, count * entry_size + struct.calcsize("=" + link), what)
        entries: dict[int, TagEntry] = {}
        inline = 8 if self.big else 4
        layout = struct.Struct(self.byteorder + ("HHQQ" if self.big else "HHII"))
        for index in range(count):
            tag, kind, values, offset = layout.unpack_from(block, index * entry_size)
            if tag in entries:
                raise self.error(f"damaged: {what} has tag {tag} twice")
            fits = _SIZES.get(kind, 0) * values <= inline
            entries[tag] = TagEntry(kind, values, start + (index + 1) * entry_size - inline if fits else offset)
        (following,) = struct.unpack_from(self.byteorder + link, block, count * entry_size)
        return Directory(self, page, entries), int(following)


@dataclass(frozen=True, slots=True)
class Directory:
    """The tags of one page; values are read when asked for."""

    file: TiffFileHandle
    page: int
    entries: dict[int, TagEntry]

    def error(self, reason: str) -> UnreadableFileError:
        """The named error for this page; the page is named unless it is the first."""
        return self.file.error(self._placed(reason))

    def too_large(self, reason: str) -> TooLargeError:
        """The named error for this page if it would take too much memory."""
        return self.file.too_large(self._placed(reason))

    def _placed(self, reason: str) -> str:
        return reason if self.page == 1 else f"page {self.page}: {reason}"

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def array(self, tag: int, name: str, expected: int | None = None) -> npt.NDArray[np.uint64]:
        """The unsigned values of ``tag``, which must be ``expected`` in number, or 1 to 16."""
        entry = self.entries.get(tag)
        if entry is None:
            raise self.error(f"damaged: {name} is not in the header")
        if entry.type not in _UNSIGNED:
            raise self.error(f"damaged: {name} is stored as type {entry.type}, which cannot be")
        if entry.count != expected if expected is not None else not 1 <= entry.count <= 16:
            wanted = f"{expected} values" if expected is not None else "1 to 16 values"
            raise self.error(f"damaged: {name} has {entry.count} values where the image's size needs {wanted}")
        data = self.file.read(entry.where, entry.count * _SIZES[entry.type], f"{name} of page {self.page}")
        return np.frombuffer(data, self.file.byteorder + _UNSIGNED[entry.type]).astype(np.uint64)

    def number(self, tag: int, name: str, default: int | None = None) -> int:
        """The single unsigned value of ``tag``; ``default`` where the tag is absent."""
        if default is not None and tag not in self.entries:
            return default
        return int(self.array(tag, name, 1)[0])

    def text(self, tag: int) -> str:
        """The text of ``tag``; empty if it is absent, is not text, or is longer than 1 MiB."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in (1, 2, 7) or entry.count > MAX_TEXT:
            return ""
        data = self.file.read(entry.where, entry.count, f"the description of page {self.page}")
        return data.split(b"\0", 1)[0].decode("utf-8", "replace")

    def blob(self, tag: int) -> bytes:
        """The bytes of ``tag``; empty if it is absent.

        Raises
        ------
        UnreadableFileError
            If they are no bytes, or more than a JPEG's tables can be.
        """
        entry = self.entries.get(tag)
        if entry is None:
            return b""
        if entry.type not in (1, 7) or entry.count > MAX_BLOB:
            raise self.error("damaged: the JPEG tables cannot be")
        return self.file.read(entry.where, entry.count, f"the JPEG tables of page {self.page}")

    def ratio(self, tag: int) -> float | None:
        """The value of a rational ``tag``; ``None`` if it is absent or no positive number."""
        entry = self.entries.get(tag)
        if entry is None or entry.type != 5 or entry.count != 1:
            return None
        above, below = struct.unpack(self.file.byteorder + "II", self.file.read(entry.where, 8, "the resolution"))
        return above / below if above and below else None


def open_regular(path: Path) -> BinaryIO:
    """Open ``path`` for reading if it is a regular file; never waits on a pipe or a device.

    Raises
    ------
    UnreadableFileError
        If it does not exist, is a folder or a device, or may not be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFileError(path, "is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise UnreadableFileError(path, "is not a regular file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise UnreadableFileError(path, _why(error)) from error


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read: permission denied"
    return f"cannot be opened: {getattr(error, 'strerror', None) or error}"
