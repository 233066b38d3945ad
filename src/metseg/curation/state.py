"""What is known of a case besides its labels: a value that every record of the journal carries a step further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from metseg.curation.drawn import slices_seen
from metseg.curation.enums import EditKind, Editor, EntryKind, Origin, Status, editor_of
from metseg.lesions import Target

if TYPE_CHECKING:
    from metseg.curation.record import Record

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_NOBODY_DREW = (EditKind.MODEL, EditKind.IMPORT)


class Provenance(BaseModel, frozen=True, extra="forbid"):
    """How a prediction came to be.

    Attributes
    ----------
    model, weights_sha256 : str
        Name and hash of the network's weights.
    threshold : float
        Voxels at or above this probability were proposed as lesion.
    preprocessing, postprocessing : dict
        The exact configurations, as JSON objects.
    clahe_average : bool
        The probabilities are the mean of those of unenhanced slices and of those that ``preprocessing`` equalised.
    target : Target
        What the network outlines.
    """

    model: str
    weights_sha256: str
    threshold: Annotated[float, Field(ge=0, le=1)]
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    postprocessing: dict[str, Any] = Field(default_factory=dict)
    clahe_average: bool = False
    target: Target = Target.FLAIR_ABNORMALITY


class PredictionRef(BaseModel, frozen=True, extra="forbid"):
    """Which prediction.

    Attributes
    ----------
    sha256 : str
        Hash of its probabilities as stored (uint8, z, y, x).
    disagreement : str or None
        Hash of the disagreement of an ensemble's members, stored likewise.
    """

    sha256: Sha256
    provenance: Provenance
    disagreement: Sha256 | None = None


class EditStatistics(BaseModel, frozen=True, extra="forbid"):
    """How a case was edited.

    Attributes
    ----------
    edits : dict
        Number of edits by :class:`EditKind`.
    added, removed : int
        Voxels that a person, with or without a tool, made lesion and unmade; models and imports do not count.
    first, last : datetime or None
        Time of the first and the last edit in the order in which they were made, as the computer's clock said.
    annotators : tuple of str
        Pseudonyms, in the order of their first record.
    """

    edits: dict[EditKind, int] = Field(default_factory=dict)
    added: int = 0
    removed: int = 0
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    annotators: tuple[str, ...] = ()

    def with_record(self, record: Record) -> EditStatistics:
        """These statistics and one more record."""
        known = not record.annotator or record.annotator in self.annotators
        annotators = self.annotators if known else (*self.annotators, record.annotator)
        if not isinstance(record.kind, EditKind):
            return self.model_copy(update={"annotators": annotators})
        drawn = record.kind not in _NOBODY_DREW
        changes = record.lesions.values()
        return EditStatistics(
            edits={**self.edits, record.kind: self.edits.get(record.kind, 0) + 1},
            added=self.added + drawn * sum(change.gained for change in changes),
            removed=self.removed + drawn * sum(change.lost for change in changes),
            first=self.first or record.time,
            last=record.time,
            annotators=annotators,
        )


class LesionState(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """One lesion, present or gone.

    Attributes
    ----------
    voxels : int
        Its size; 0 if it is gone.
    shape_hash : str
        Fingerprint of the set of its voxels, see :func:`metseg.curation.changes.fingerprints`.
    editors : tuple of Editor, stored as ``makers``
        Who had a hand in it.
    model_hash : str
        Its fingerprint when it was the model's alone; empty if it never was.
    """

    voxels: int = 0
    shape_hash: str = "0" * 16
    editors: Annotated[tuple[Editor, ...], Field(alias="makers")] = ()
    model_hash: str = ""

    @property
    def origin(self) -> Origin:
        """A lesion that was edited and brought back to exactly what the model drew is the model's again."""
        if self.shape_hash == self.model_hash:
            return Origin.AUTOMATIC
        return Origin.MANUAL if self.editors == (Editor.HAND,) else Origin.SEMIAUTOMATIC

    @property
    def sources(self) -> set[Editor]:
        """Whose outline it is now."""
        return {Editor.MODEL} if self.origin is Origin.AUTOMATIC else set(self.editors)


class CaseState(BaseModel, frozen=True, extra="forbid"):
    """Everything but the labels, after record ``seq``.

    Attributes
    ----------
    seq : int
        Number of the last record.
    status, reason, status_time, status_by
        Where the case stands, why, since when, and by whose record.
    lesions : dict of int to LesionState
        Every lesion that ever was; ids are not given twice.
    prediction : PredictionRef or None
        The newest.
    reviewed : tuple of int or None
        Slices that somebody has looked at since the newest prediction, counted from 0, in ascending order; ``None``
        in states that an older version of metseg wrote: see :func:`metseg.curation.recovery.recover`.
    """

    seq: int = 0
    status: Status = Status.TODO
    reason: str = ""
    status_time: AwareDatetime | None = None
    status_by: str = ""
    lesions: dict[int, LesionState] = Field(default_factory=dict)
    prediction: PredictionRef | None = None
    statistics: EditStatistics = EditStatistics()
    reviewed: tuple[int, ...] | None = None

    @property
    def edits(self) -> int:
        """Number of edits so far; other records do not count."""
        return sum(self.statistics.edits.values())

    @property
    def present(self) -> dict[int, LesionState]:
        """Lesions that have voxels, by id."""
        return {label: lesion for label, lesion in sorted(self.lesions.items()) if lesion.voxels}

    @property
    def next_label(self) -> int:
        """The smallest id above all that ever were."""
        return max(self.lesions, default=0) + 1

    def after(self, record: Record) -> CaseState:
        """The state one record further."""
        lesions = {**self.lesions, **_changed_lesions(self.lesions, record)} if record.lesions else self.lesions
        update: dict[str, Any] = {
            "seq": record.seq,
            "lesions": lesions,
            "statistics": self.statistics.with_record(record),
            "reviewed": _reviewed_after(self.reviewed, record),
        }
        if record.prediction is not None:
            update["prediction"] = record.prediction
        status = _status_after(self.status, lesions, record)
        if record.kind is EntryKind.STATUS or status is not self.status:
            update |= {"status": status, "reason": record.reason}
            update |= {"status_time": record.time, "status_by": record.annotator}
        return self.model_copy(update=update)


def _reviewed_after(before: tuple[int, ...] | None, record: Record) -> tuple[int, ...] | None:
    """A new prediction has to be looked at anew."""
    if record.prediction is not None or record.kind is EntryKind.BEGIN:
        before = ()
    if before is None:
        return None
    seen = slices_seen(record)
    return tuple(sorted({*before, *seen})) if seen else before


def _status_after(status: Status, lesions: Mapping[int, LesionState], record: Record) -> Status:
    if record.kind is EntryKind.STATUS:
        return record.status or status
    if record.kind is EditKind.MODEL:
        by_hand = any(lesion.voxels and lesion.origin is not Origin.AUTOMATIC for lesion in lesions.values())
        return Status.CORRECTED if by_hand else Status.PREDICTED
    return Status.CORRECTED if isinstance(record.kind, EditKind) else status


def _changed_lesions(before: Mapping[int, LesionState], record: Record) -> dict[int, LesionState]:
    """The lesions that ``record`` changed.

    Who moves voxels between a lesion and the background, or splits a lesion, has a hand in its outline. Who gives a
    whole lesion another id, or puts lesions together, only passes on who made them.
    """
    if not isinstance(record.kind, EditKind):
        return {}
    editor, steps_back = editor_of(record.kind), record.kind in (EditKind.UNDO, EditKind.REDO)
    split = {
        giver
        for change in record.lesions.values()
        for giver in change.taken
        if giver in record.lesions and record.lesions[giver].voxels
    }
    after: dict[int, LesionState] = {}
    for label, change in record.lesions.items():
        old = before.get(label, LesionState())
        editors = old.sources if old.voxels or steps_back else set[Editor]()
        for giver in change.taken:
            editors |= before.get(giver, LesionState()).sources
        if change.gained or change.lost or label in split or split & change.taken.keys():
            editors.add(editor)
        model_hash = change.shape_hash if editors == {Editor.MODEL} else old.model_hash
        after[label] = LesionState(
            voxels=change.voxels, shape_hash=change.shape_hash, editors=tuple(sorted(editors)), model_hash=model_hash
        )
    return after
