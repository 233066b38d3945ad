"""What the manifest says of a case: read from its journal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from metseg.curation.changes import Labels
from metseg.curation.enums import EditKind, Origin
from metseg.curation.export.manifest import (
    ExportedCase,
    ExportedLesion,
    JournalPosition,
    ModelMask,
    Subset,
    encode_runs,
)
from metseg.curation.journal import read_frames
from metseg.curation.record import JournalFrame, software
from metseg.curation.view import CaseView
from metseg.errors import DataError

#: Under these names an import notes, in the detail of its record, what the export knew.
ORIGINS, MODEL = "origins", "model"


@dataclass(slots=True)
class _History:
    """What the records up to the exported one say."""

    position: JournalPosition | None = None
    model: ModelMask | None = None
    shape_hashes: dict[int, str] = field(default_factory=dict)
    imported: dict[int, tuple[str, Origin]] = field(default_factory=dict)

    def follow(self, frame: JournalFrame) -> None:
        record = frame.record
        self.position = JournalPosition(seq=record.seq, sha256=frame.digest)
        for label, change in record.lesions.items():
            self.shape_hashes[label] = change.shape_hash
        if record.prediction is not None:
            reference = record.prediction
            self.model = ModelMask(
                provenance=reference.provenance, probabilities_sha256=reference.sha256, journal=self.position
            )
        if record.kind is EditKind.IMPORT:
            self._take_over(record.detail.get(ORIGINS), record.detail.get(MODEL))

    def _take_over(self, origins: object, model: object) -> None:
        if isinstance(origins, dict):
            for label, origin in origins.items():
                if str(label).isdecimal() and origin in list(Origin) and int(label) in self.shape_hashes:
                    self.imported[int(label)] = self.shape_hashes[int(label)], Origin(origin)
        if model is not None:
            try:
                self.model = ModelMask.model_validate(model)
            except ValidationError:
                return

    def origin(self, label: int, known: Origin) -> Origin:
        """Of a lesion; one that was imported keeps what it was, and is SEMIAUTOMATIC once its outline is edited."""
        if label not in self.imported or known is Origin.AUTOMATIC:
            return known
        shape_hash, before = self.imported[label]
        if self.shape_hashes[label] == shape_hash or before is Origin.MANUAL:
            return before
        return Origin.SEMIAUTOMATIC


def describe_case(view: CaseView, *, stem: str, patient: str, side: Subset) -> ExportedCase:
    """Everything that the manifest says of a case but its files.

    Parameters
    ----------
    view : CaseView
        The case as it is exported.

    Raises
    ------
    DataError
        If the case's last record is not in its journal.
    """
    history = _History()
    for frame in read_frames(view.folder):
        if frame.record.seq <= view.summary.records:
            history.follow(frame)
    if history.position is None or history.position.seq != view.summary.records:
        raise DataError(f"{view.name}: its journal was changed while it was exported; export again")
    summary, description = view.summary, view.description
    return ExportedCase(
        name=view.name,
        stem=stem,
        patient=patient,
        side=side,
        status=view.status,
        reason=view.reason,
        status_time=summary.status_time,
        status_by=summary.status_by,
        shape=view.shape,
        spacing=description.spacing,
        placement=description.geometry if description.geometry.is_placed else None,
        placement_lost=description.placement_lost,
        sequences=description.sequences,
        sources=tuple(image.sha256 for image in description.images),
        labels_sha256=labels_sha256(view.labels),
        journal=history.position,
        model=history.model,
        lesions=_lesions(view.labels, view.origins(), history),
        statistics=view.statistics(),
        software=software(),
    )


def labels_sha256(labels: Labels) -> str:
    """Hash of labels (uint16, little-endian, z-y-x order)."""
    return hashlib.sha256(labels.astype("<u2", copy=False).tobytes()).hexdigest()


def _lesions(labels: Labels, origins: dict[int, Origin], history: _History) -> tuple[ExportedLesion, ...]:
    index = np.flatnonzero(labels)
    ids = labels.reshape(-1)[index]
    found = []
    for label in np.unique(ids).tolist():
        mine = index[ids == label]
        origin = history.origin(label, origins[label])
        found.append(ExportedLesion(id=label, origin=origin, voxels=mine.size, runs=encode_runs(mine)))
    return tuple(found)
