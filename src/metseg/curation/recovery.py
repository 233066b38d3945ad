"""From the files of a case to its labels: the newest sound snapshot and the records after it.

Whatever is damaged, what comes out is a state that was once committed: the newest that can be proved. Each record is
checked by its CRC, by the hash of the record before it, and by the labels that it starts from and leads to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from metseg.curation.changes import Labels, apply_record
from metseg.curation.description import CaseDescription
from metseg.curation.drawn import reviewed_slices
from metseg.curation.enums import EditKind
from metseg.curation.journal import JournalSegment, put_aside, read_segment, segment_paths
from metseg.curation.record import Base, DamagedRecordError
from metseg.curation.state import CaseState
from metseg.errors import MetsegError, UnreadableFileError
from metseg.study import file_sha256, read_tiff

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came back when a case was opened that had not been closed, or was damaged.

    Attributes
    ----------
    replayed : int
        Changes of the labels brought back from the journal since the last snapshot.
    cut : int
        Bytes that were no sound record.
    kept : tuple of Path
        Files that these bytes were put aside in; empty if the case was only read.
    damaged : tuple of Path
        What is damaged or missing.
    lost : int
        Records that are known to have been there and are not.
    """

    replayed: int = 0
    cut: int = 0
    kept: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()
    lost: int = 0

    @property
    def harmed(self) -> bool:
        """Whether anything was damaged or missing; ``False`` if the case was just not closed."""
        return bool(self.cut or self.damaged or self.lost)

    def __str__(self) -> str:
        parts = []
        if self.replayed:
            changes = "1 change was" if self.replayed == 1 else f"{self.replayed} changes were"
            parts.append(f"The case was not closed properly; {changes} brought back.")
        if self.damaged:
            parts.append(f"Damaged or missing: {', '.join(path.name for path in self.damaged)}.")
        if self.cut:
            where = f", kept in {', '.join(path.name for path in self.kept)}" if self.kept else ""
            parts.append(f"{self.cut} bytes at the journal's end were no whole record{where}.")
        if self.lost:
            parts.append(f"{self.lost} record{'s' * (self.lost != 1)} could not be brought back.")
        return " ".join(parts)


@dataclass(frozen=True, eq=False, slots=True)
class Recovered:
    """A case as it is on the disk.

    Attributes
    ----------
    labels : ndarray of uint16, shape (z, y, x)
    segment : JournalSegment or None
        The newest segment that counts, ``valid`` being the bytes in it that count; ``None`` if none does.
    later : tuple of Path
        Segments that do not count.
    snapshot : (str, str)
        File and hash that ``segment`` starts from.
    digest : str
        Hash of the last record.
    since_base : int
        Records after the first of ``segment``.
    edited_since_base : bool
        Whether one of them changed labels.
    """

    labels: Labels
    state: CaseState
    segment: JournalSegment | None = None
    later: tuple[Path, ...] = ()
    snapshot: tuple[str, str] = ("", "")
    digest: str = ""
    since_base: int = 0
    edited_since_base: bool = False
    report: Recovery = field(default_factory=Recovery)


def recover(folder: Path, case: CaseDescription) -> Recovered:
    """Read labels and state of a case; nothing is written.

    Parameters
    ----------
    folder : Path
        Of the case. A session may be writing to it.

    Raises
    ------
    UnreadableFileError
        If the journal cannot be read, belongs to another case, or is of a later version of metseg.
    """
    paths = segment_paths(folder)
    for _ in range(_ATTEMPTS):
        found = _recover(folder, case, paths)
        newer = segment_paths(folder)
        if newer == paths:
            break
        paths = newer  # a session began a new segment meanwhile, and may have removed an old snapshot
    return found


def repair(found: Recovered) -> Recovery:
    """Put aside what does not count, so that the journal can be appended to; the lock must be held."""
    return replace(found.report, kept=tuple(put_aside(found.segment, found.later)))


def _recover(folder: Path, case: CaseDescription, paths: list[Path]) -> Recovered:
    chain: list[JournalSegment] = []
    damaged: list[Path] = []
    labels, state, start = np.zeros(case.shape, np.uint16), CaseState(), None
    for path in reversed(paths):
        chain.insert(0, read_segment(path))
        start = _base_of(chain[0], case)
        if start is None:
            continue
        try:
            labels, state = _load_base(folder, start, case), _with_reviewed(start.state, paths[: paths.index(path)])
        except UnreadableFileError as error:
            damaged.append(error.path)
            start = None
            continue
        break
    return _replay(labels, state, chain, damaged)


def _replay(labels: Labels, state: CaseState, chain: list[JournalSegment], damaged: list[Path]) -> Recovered:
    """Follow ``chain`` from its first record on, until it ends or something is wrong."""
    found = Recovered(labels, state)
    replayed = 0
    stopped = False
    for number, segment in enumerate(chain):
        valid = since = 0
        edited = False
        for frame in segment.frames:
            try:
                if frame.record.seq != state.seq + 1 or (found.digest and frame.record.prev != found.digest):
                    raise DamagedRecordError("does not follow the record before")
                apply_record(labels, frame.record, frame.payload)
            except DamagedRecordError:
                stopped = True
                break
            state = state.after(frame.record)
            edit = isinstance(frame.record.kind, EditKind) and frame.record.bbox is not None
            valid, since, edited = valid + frame.size, since + (frame.record.base is None), edited or edit
            replayed += edit
            found = replace(found, digest=frame.digest)
        if valid:
            kept = replace(segment, valid=valid)
            base = segment.frames[0].record.base
            snapshot = (base.snapshot, base.sha256) if base else ("", "")
            found = replace(found, state=state, segment=kept, snapshot=snapshot)
            found = replace(found, since_base=since, edited_since_base=edited)
        if stopped or segment.damage or valid < segment.size:
            if not segment.torn or number + 1 < len(chain):
                damaged.append(segment.path)
            later = chain[number + (valid > 0) :]
            cut = sum(other.size for other in later) + (segment.size - valid if valid else 0)
            found = replace(found, later=tuple(other.path for other in later))
            return replace(found, report=Recovery(replayed, cut, (), tuple(damaged)))
    return replace(found, report=Recovery(replayed, 0, (), tuple(damaged)))


def _with_reviewed(state: CaseState, older: list[Path]) -> CaseState:
    """The state with its reviewed slices, from older segments where the version that wrote it did not keep them."""
    if state.reviewed is not None or not older:
        return state
    records = (frame.record for path in older for frame in read_segment(path).frames)
    return state.model_copy(update={"reviewed": tuple(sorted(reviewed_slices(records)))})


def _base_of(segment: JournalSegment, case: CaseDescription) -> Base | None:
    base = segment.frames[0].record.base if segment.frames else None
    if base is not None and base.case != case.identity:
        raise UnreadableFileError(
            segment.path, f"belongs to another case than {case.name}; the folders of two cases were mixed up"
        )
    return base


def _load_base(folder: Path, base: Base, case: CaseDescription) -> Labels:
    if not base.snapshot:
        return np.zeros(case.shape, np.uint16)
    path = folder / base.snapshot
    if file_sha256(path) != base.sha256:
        raise UnreadableFileError(path, "is damaged")
    try:
        pages = read_tiff(path)
    except (MetsegError, MemoryError) as error:
        raise UnreadableFileError(path, "is damaged") from error
    if pages.shape != (case.shape[0], 1, *case.shape[1:]):
        raise UnreadableFileError(path, "is of another size")
    return pages[:, 0].astype(np.uint16)
