"""The files of a journal: segments that are only ever appended to, one record after the other.

A segment ``journal/000124.log`` is named after its first record. That record says from which labels and state the
segment goes on, so that no older segment need be read. Segments are created whole and never deleted.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from metseg.curation.enums import EntryKind
from metseg.curation.record import (
    Base,
    DamagedRecordError,
    JournalFrame,
    Record,
    UnknownRecordError,
    digest_of,
    encode,
    now,
    read_frame,
    software,
)
from metseg.errors import DataError, UnreadableFileError
from metseg.study import read_errors, write_atomically, write_errors

FOLDER = "journal"


@dataclass(frozen=True, slots=True)
class JournalSegment:
    """What a segment holds.

    Attributes
    ----------
    frames : tuple of JournalFrame
        Its whole records, up to the first that is damaged or out of order.
    valid, size : int
        Bytes of these records, and of the file.
    damage : str
        What is wrong with the rest; empty if there is none.
    torn : bool
        Whether the file just ends too early, as it does after a crash.
    """

    path: Path
    frames: tuple[JournalFrame, ...]
    valid: int
    size: int
    damage: str = ""
    torn: bool = False


def segment_path(case: Path, seq: int) -> Path:
    """Where the segment that begins with record ``seq`` is."""
    return case / FOLDER / f"{seq:06d}.log"


def segment_paths(case: Path) -> list[Path]:
    """The segments of a case, oldest first; UnreadableFileError if the folder cannot be listed."""
    folder = case / FOLDER
    with read_errors(folder):
        names = [name for name in os.listdir(folder) if name.endswith(".log") and name[:-4].isdecimal()]
    return [folder / name for name in sorted(names, key=lambda name: int(name[:-4]))]


def read_segment(path: Path) -> JournalSegment:
    """Read one segment as far as it is sound.

    Raises
    ------
    UnreadableFileError
        If the file cannot be opened, or a later version of metseg wrote it.
    """
    frames: list[JournalFrame] = []
    valid = size = 0
    try:
        with read_errors(path), path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while (frame := read_frame(file, size - valid)) is not None:
                _check_order(path, frames, frame)
                frames.append(frame)
                valid += frame.size
    except DamagedRecordError as error:
        return JournalSegment(path, tuple(frames), valid, size, str(error), error.torn)
    except UnknownRecordError as error:
        reason = (
            f"record {int(path.stem) + len(frames)} is of a later version of metseg; update metseg to open the case"
        )
        raise UnreadableFileError(path, reason) from error
    if not frames:
        return JournalSegment(path, (), 0, size, "is empty", torn=True)
    return JournalSegment(path, tuple(frames), valid, size)


def _check_order(path: Path, frames: list[JournalFrame], frame: JournalFrame) -> None:
    if frame.record.seq != int(path.stem) + len(frames):
        raise DamagedRecordError("has a record out of order")
    if bool(frames) != (frame.record.base is None):
        raise DamagedRecordError("has a beginning in its middle" if frames else "has no beginning")
    if frames and frame.record.prev != frames[-1].digest:
        raise DamagedRecordError("has a record that does not follow the one before")


def put_aside(segment: JournalSegment | None, later: Sequence[Path]) -> list[Path]:
    """Take what is not sound out of the journal; nothing is erased.

    Parameters
    ----------
    segment : JournalSegment or None
        Is cut after its ``valid`` bytes; what follows is copied to ``<segment>-<offset>-<crc>.cut`` first.
    later : sequence of Path
        Segments that follow; renamed to ``<segment>-<crc>.cut``.

    Returns
    -------
    list of Path
        The new files. Doing it again after a crash gives the same.
    """
    made: list[Path] = []
    for path in later:
        with write_errors(path):
            made.append(_aside(path, path.read_bytes()))
            os.replace(path, made[-1])
    if segment is not None and segment.valid < segment.size:
        with write_errors(segment.path), segment.path.open("r+b") as file:
            file.seek(segment.valid)
            tail = file.read()
            made.append(_aside(segment.path, tail, f"-{segment.valid}"))
            with write_atomically(made[-1]) as temporary:
                temporary.write_bytes(tail)
            file.truncate(segment.valid)
            os.fsync(file.fileno())
    return made


def _aside(path: Path, data: bytes, offset: str = "") -> Path:
    return path.with_name(f"{path.stem}{offset}-{zlib.crc32(data):08x}.cut")


class JournalWriter:
    """Appends to the newest segment of a case whose lock is held.

    Parameters
    ----------
    size : int
        Its size: nobody else may change it.
    seq : int
        Number of its last record.
    digest : str
        Hash of its last record.
    """

    def __init__(self, path: Path, size: int, seq: int, digest: str) -> None:
        self.digest = digest
        self._seq = seq
        self._path = path
        self._size = size
        self._file: BinaryIO | None = None
        self._half_written = False

    def append(self, data: bytes, seq: int) -> None:
        """Write record ``seq`` and wait until the disk has it.

        Raises
        ------
        DataError
            If that failed. The journal is as it was before.
        """
        if seq != self._seq + 1:
            raise DataError(f"{self._path}: was interrupted while it was written; close the case and open it again")
        try:
            with write_errors(self._path):
                file = self._opened()
                self._check_size(file)
                self._half_written = True
                file.seek(self._size)
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
                self._check_in_place(file)
        except DataError:
            self._cut_half()
            raise
        self._seq = seq
        self._size += len(data)
        self._half_written = False
        self.digest = digest_of(data)

    def begin_segment(self, path: Path, data: bytes) -> None:
        """Go on in a new segment, whose first record is ``data``; its number is the segment's.

        Raises
        ------
        DataError
            If it cannot be created; the old segment goes on.
        """
        try:
            with write_atomically(path) as temporary:
                temporary.write_bytes(data)
        except DataError:
            if not path.exists():  # else it is in place, and must not have a rival
                raise
        self.close()
        self._path, self._size = path, len(data)
        self._seq, self.digest = int(path.stem), digest_of(data)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            if self._half_written:
                self._cut_half()
            self._file.close()
            self._file = None

    @property
    def position(self) -> tuple[str, int]:
        """Name and size of the segment that is written to."""
        return self._path.name, self._size

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._path.open("r+b", buffering=0)
        return self._file

    def _check_size(self, file: BinaryIO) -> None:
        if self._half_written:
            file.truncate(self._size)
            self._half_written = False
        if os.fstat(file.fileno()).st_size != self._size:
            raise DataError(
                f"{self._path}: was changed by another program; nothing was written. Close the case, "
                "see that no other program (a synchronised folder?) writes there, and open it again"
            )

    def _check_in_place(self, file: BinaryIO) -> None:
        """Notice that the folder was deleted: the open file can be written to for ever, and nobody will find it."""
        if not os.path.samestat(os.fstat(file.fileno()), os.stat(self._path)):
            raise OSError(errno.ENOENT, "the folder was deleted or replaced", str(self._path))

    def _cut_half(self) -> None:
        if self._file is None or not self._half_written:
            return
        try:
            self._file.truncate(self._size)
            os.fsync(self._file.fileno())
            self._half_written = False
        except OSError:  # tried again before the next record; a reader sees that it is not whole
            return


def begin_journal(case: Path, identity: str, annotator: str = "") -> tuple[JournalWriter, Record]:
    """Write the first segment of the journal in folder ``case``, whose identity is ``identity``."""
    path = segment_path(case, 1)
    base = Base(format=1, software=software(), case=identity)
    record = Record(seq=1, kind=EntryKind.BEGIN, time=now(), annotator=annotator, base=base)
    writer = JournalWriter(path, 0, 0, "")
    writer.begin_segment(path, encode(record))
    return writer, record


def read_frames(case: Path) -> Iterator[JournalFrame]:
    """All sound records of a case, oldest first; the numbers of damaged ones are missing."""
    for path in segment_paths(case):
        yield from read_segment(path).frames
