r"""One record of a journal, and its bytes.

A record is a line of 32 bytes, a line of JSON, and, if it changes voxels, compressed bytes::

    MSJ1 hhhhhhhh pppppppp cccccccc\n      lengths of JSON line and payload, CRC-32; 8 hexadecimal digits each
    {"seq":12,"kind":"stroke",...}\n       h bytes
    <zlib>\n                               p bytes; p is 0 without a payload

The CRC-32 (ISO-HDLC, as in zlib) is of the first 23 bytes of the first line, the JSON line and the payload.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from metseg import __version__
from metseg.curation.enums import EditKind, EntryKind, Status
from metseg.curation.state import CaseState, PredictionRef, Sha256

MAGIC = b"MSJ1"
PREFIX = 32
_CHECKED = 23
_MAX_HEADER = 64 << 20
_MAX_PAYLOAD = 1 << 30

Natural = Annotated[int, Field(ge=0)]
Label = Annotated[int, Field(ge=1, le=65535)]
Corner = tuple[Natural, Natural, Natural]


class LesionChange(BaseModel, frozen=True, extra="forbid"):
    """What a record does to one lesion.

    Attributes
    ----------
    voxels : int
        Size afterwards.
    gained, lost : int
        Voxels that were background before, and that are background afterwards.
    taken : dict of int to int
        Voxels that belonged to other lesions before, by their ids.
    shape_hash : str
        Fingerprint of the set of its voxels afterwards.
    """

    voxels: Natural = 0
    gained: Natural = 0
    lost: Natural = 0
    taken: dict[Label, Natural] = Field(default_factory=dict)
    shape_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = "0" * 16


class Base(BaseModel, frozen=True, extra="forbid"):
    """Where a segment starts: the labels and the state that its first record stands for.

    Attributes
    ----------
    case : str
        Identity of the case, see :class:`metseg.curation.description.CaseDescription`.
    snapshot, sha256 : str
        File of labels below the case's folder and its hash; empty if every label is 0.
    state : CaseState
        After the record before this one.
    """

    format: Literal[1]
    software: str
    case: Sha256
    snapshot: Annotated[str, Field(pattern=r"^(labels/[0-9]{6,18}\.tif)?$")] = ""
    sha256: str = ""
    state: CaseState = CaseState()


class Record(BaseModel, frozen=True, extra="forbid"):
    """One entry of a case's journal.

    Attributes
    ----------
    seq : int
        1, 2, 3, …: the order of records. The time is what the clock said, and decides nothing.
    time : datetime
        UTC.
    prev : str
        sha256 of all bytes of the record before; empty for the first.
    annotator : str
        Pseudonym.
    bbox : ((z, y, x), (z, y, x)) or None
        First voxel changed and one past the last, along each axis.
    before, after : int
        CRC-32 of the labels in ``bbox`` (uint16, little-endian, z-y-x order) before and after.
    detail : dict
        What the tool says of itself: a JSON object.
    status, reason
        Of a ``status`` record; ``reason`` also of a ``recovery``, and of a ``note``, of which it is the text.
    prediction : PredictionRef or None
        Of a ``model`` record.
    slices : tuple of int
        Of a ``reviewed`` record: slices that the annotator looked at, counted from 0.
    base : Base or None
        Of the first record of a segment.
    """

    seq: Annotated[int, Field(ge=1)]
    kind: EditKind | EntryKind
    time: AwareDatetime
    prev: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    annotator: str = ""
    bbox: tuple[Corner, Corner] | None = None
    before: Natural = 0
    after: Natural = 0
    lesions: dict[Label, LesionChange] = Field(default_factory=dict)
    detail: dict[str, Any] = Field(default_factory=dict)
    status: Status | None = None
    reason: str = ""
    prediction: PredictionRef | None = None
    slices: tuple[Natural, ...] = ()
    base: Base | None = None


def software() -> str:
    """What writes the journal."""
    return f"napari-metseg {__version__}"


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class DamagedRecordError(Exception):
    """Bytes that are not what was written. ``torn`` if the file ends before the record does."""

    def __init__(self, reason: str, *, torn: bool = False) -> None:
        super().__init__(reason)
        self.torn = torn


class UnknownRecordError(Exception):
    """A whole record that this version does not understand: it must be left alone."""


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """A record as it was read: the record, its payload, and size and sha256 of all its bytes."""

    record: Record
    payload: bytes
    size: int
    digest: str


def encode(record: Record, payload: bytes = b"") -> bytes:
    """The bytes of a record."""
    header = record.model_dump_json(exclude_defaults=True).encode() + b"\n"
    tail = payload + b"\n" if payload else b""
    start = b"%s %08x %08x " % (MAGIC, len(header), len(tail))
    return b"%s%08x\n%s%s" % (start, zlib.crc32(start + header + tail), header, tail)


def digest_of(data: bytes) -> str:
    """The hash by which the next record refers to this one."""
    return hashlib.sha256(data).hexdigest()


def read_frame(file: BinaryIO, left: int) -> JournalFrame | None:
    """The record at the file's position.

    Parameters
    ----------
    left : int
        Bytes from here to its end.

    Returns
    -------
    JournalFrame or None
        ``None`` at the end.

    Raises
    ------
    DamagedRecordError
        If the bytes are not a whole record, unchanged since it was written.
    UnknownRecordError
        If they are, but of a later version of this layout.
    """
    if left <= 0:
        return None
    prefix = file.read(PREFIX)
    if len(prefix) < PREFIX:
        raise DamagedRecordError("ends within a record", torn=True)
    lengths = _lengths(prefix)
    if lengths is None:
        raise DamagedRecordError("is damaged")
    header_size, tail_size = lengths
    if PREFIX + header_size + tail_size > left:
        raise DamagedRecordError("ends within a record", torn=True)
    header, tail = file.read(header_size), file.read(tail_size)
    if prefix[_CHECKED:] != b"%08x\n" % zlib.crc32(prefix[:_CHECKED] + header + tail):
        raise DamagedRecordError("is damaged")
    try:
        record = Record.model_validate_json(header)
    except ValidationError as error:
        raise UnknownRecordError from error
    data = prefix + header + tail
    return JournalFrame(record, tail[:-1], len(data), digest_of(data))


def _lengths(prefix: bytes) -> tuple[int, int] | None:
    try:
        header_size, tail_size = int(prefix[5:13], 16), int(prefix[14:22], 16)
    except ValueError:
        return None
    if prefix[:_CHECKED] != b"%s %08x %08x " % (MAGIC, header_size, tail_size):
        return None
    return (header_size, tail_size) if header_size <= _MAX_HEADER and tail_size <= _MAX_PAYLOAD else None
