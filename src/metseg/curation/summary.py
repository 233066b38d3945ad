"""``state.json``: where a case stands, for lists; a cache that is made again when it disagrees with the journal."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, model_validator

from metseg.curation.description import CaseDescription
from metseg.curation.documents import read_document, write_document
from metseg.curation.enums import Status
from metseg.curation.journal import segment_paths
from metseg.curation.recovery import recover
from metseg.curation.state import CaseState
from metseg.errors import DataError, MetsegError, UnreadableFileError
from metseg.lesions import Target

FILE = "state.json"


class CaseSummary(BaseModel, frozen=True, extra="forbid"):
    """One line in a list of cases.

    Attributes
    ----------
    status, reason, status_time, status_by
        Where the case stands, why, since when, and the pseudonym of who said so.
    lesions, voxels : int
        How many there are, and their size together.
    model : str
        Name of the network that predicted last; empty if none did.
    edited : datetime or None
        Last edit.
    reviewed : int
        Slices that somebody has looked at since the newest prediction.
    target : Target or None
        What the newest prediction outlines; None if there is none.
    problem : str
        Why the case cannot be opened; empty if it can. The rest is then not known.
    """

    name: str
    shape: tuple[int, int, int]
    status: Status = Status.TODO
    reason: str = ""
    status_time: AwareDatetime | None = None
    status_by: str = ""
    lesions: int = 0
    voxels: int = 0
    records: int = 0
    model: str = ""
    edited: AwareDatetime | None = None
    reviewed: int = 0
    target: Target | None = None
    problem: str = ""


#: Fields that summaries of older versions lack.
_ADDED = {"reviewed", "target"}


class _Cached(BaseModel, frozen=True, extra="forbid"):
    """A summary, its hash, and the newest segment and its size, for which it holds."""

    format: Literal[1] = 1
    segment: str
    bytes: int
    summary: CaseSummary
    sha256: str

    @model_validator(mode="after")
    def _unchanged(self) -> _Cached:
        if self.sha256 != _digest(self.summary):
            raise ValueError("was changed")
        return self


def _digest(summary: CaseSummary) -> str:
    """Hash of a summary; of one of an older version as that made it."""
    missing = _ADDED - summary.model_fields_set
    return hashlib.sha256(summary.model_dump_json(exclude=missing).encode()).hexdigest()


def summarise(case: CaseDescription, state: CaseState) -> CaseSummary:
    """The summary of a case in ``state``."""
    present = state.present.values()
    return CaseSummary(
        name=case.name,
        shape=case.shape,
        status=state.status,
        reason=state.reason,
        status_time=state.status_time,
        status_by=state.status_by,
        lesions=len(present),
        voxels=sum(lesion.voxels for lesion in present),
        records=state.seq,
        model=state.prediction.provenance.model if state.prediction else "",
        edited=state.statistics.last,
        reviewed=len(state.reviewed or ()),
        target=state.prediction.provenance.target if state.prediction else None,
    )


def read_summary(folder: Path, case: CaseDescription) -> CaseSummary:
    """The summary of the case in ``folder``, from the cache if that is up to date."""
    try:
        newest = segment_paths(folder)[-1]
        cached = read_document(folder / FILE, _Cached)
        here = newest.name, newest.stat().st_size, case.name
        known = cached.segment, cached.bytes, cached.summary.name
        if known == here and cached.summary.model_fields_set >= _ADDED:
            return cached.summary
    except (UnreadableFileError, IndexError, OSError):
        pass
    try:
        return summarise(case, recover(folder, case).state)
    except MetsegError as error:
        return CaseSummary(name=case.name, shape=case.shape, problem=str(error))


def write_summary(folder: Path, position: tuple[str, int], summary: CaseSummary) -> None:
    """Keep ``summary``, which holds while the newest segment is at ``position`` (name, size)."""
    with contextlib.suppress(DataError):  # it can always be made again
        segment, size = position
        write_document(folder / FILE, _Cached(segment=segment, bytes=size, summary=summary, sha256=_digest(summary)))


def known_records(folder: Path) -> int:
    """How many records the case once had, as far as the cache knows."""
    try:
        return read_document(folder / FILE, _Cached).summary.records
    except UnreadableFileError:
        return 0
