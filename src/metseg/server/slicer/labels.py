"""A label that a client sends becomes the labels of a case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from metseg.curation import CaseDescription, CaseSession, Corrections, EditKind, Status
from metseg.lesions import Target
from metseg.server.problems import ProblemError
from metseg.server.slicer.forms import ClientParameters
from metseg.server.slicer.volumes import mask_of_case
from metseg.server.upload_decoding import Decoded
from metseg.study.formats import is_whole

#: Name of a segment of which nobody knows what it outlines; else segments are named after their target.
LESION = "lesion"
#: Names that Slicer's extension gives to what is no lesion; it leaves them out of what it sends.
_NO_LABELS = ("background", "foreground_scribbles", "background_scribbles")

#: Largest value of a label.
_LARGEST = 65535


class SavedLabel(BaseModel):
    """A label is in the project."""

    image: str
    label: str
    tag: str = "final"
    status: str = Field(description="Where the case stands now.")
    changed: int = Field(description="Voxels that are different now.")
    lesions: int
    voxels: int = Field(description="Inside lesions.")


def drawn_mask(decoded: Decoded, segments: Sequence[str], case: CaseDescription) -> npt.NDArray[np.bool_]:
    """Where a label that was sent says lesion, on the case's own grid.

    Parameters
    ----------
    segments : sequence of str
        Names of its values 1, 2, ...; without any, every value is lesion.

    415 or 422 if it is no label for this case.
    """
    study = decoded.study
    if study.stored is None or not study.stored.header:
        raise ProblemError(415, "send the label as NIfTI (.nii.gz); in Slicer: Settings, MONAI Label, File Extension")
    if len(study.voxels) != 1:
        raise ProblemError(422, "a label has one value for each voxel; overlapping segments cannot be kept")
    if not is_whole(study.stored.header):
        raise ProblemError(422, "a label is made of whole numbers (uint8 or uint16)")
    values = study.voxels[0]
    if values.min() < 0 or values.max() > _LARGEST:
        raise ProblemError(422, f"a label is made of whole numbers from 0 to {_LARGEST}")
    _check_segments(values, segments)
    if not study.geometry.is_placed:
        raise ProblemError(
            422, "the label does not say where it lies; save it with the image's affine (sform or qform)"
        )
    return mask_of_case(values > 0, study.geometry, case.geometry, case.shape)


def save_mask(session: CaseSession, mask: npt.NDArray[np.bool_], detail: dict[str, Any]) -> SavedLabel:
    """Put a mask that a person sent as final into a case, which is ``corrected`` then.

    Voxels keep the lesion that they belong to; what is new joins the lesion that it touches, or is a new one. A case
    that was approved, and is sent back as it was, stays approved.

    DataError if it could not be written.
    """
    every = tuple(range(session.shape[0]))
    before = session.labels
    labels = Corrections(mask, every, ()).applied_to(before, session.next_label)
    changed = int(np.count_nonzero(labels != before))
    record = session.commit(labels, EditKind.IMPORT, detail=detail)
    if record is None and session.status in (Status.TODO, Status.PREDICTED):
        session.set_status(Status.CORRECTED, "sent back as final without a change")
    summary = session.summary
    return SavedLabel(
        image=session.name,
        label=session.name,
        status=session.status,
        changed=changed,
        lesions=summary.lesions,
        voxels=summary.voxels,
    )


class SlicerSegment(BaseModel):
    """A segment as Slicer's extension names it; ``idx`` counts segments that are left out, too, and is not asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str


class LabelParameters(ClientParameters):
    """What is said of a label."""

    label_info: list[SlicerSegment] | None = Field(
        None, description="The segments whose values are 1, 2, ... in order."
    )

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of the label's values, in order: Slicer numbers the segments that it exports from 1."""
        return tuple(one.name for one in self.label_info or () if one.name not in _NO_LABELS)


def _check_segments(values: npt.NDArray[np.generic], segments: Sequence[str]) -> None:
    if not segments:
        return
    known = {name.casefold() for name in (*Target, LESION)}
    drawn = [
        segments[value - 1] if value <= len(segments) else f"value {value}" for value in np.unique(values[values != 0])
    ]
    for name in drawn:
        if name.casefold() not in known:
            raise ProblemError(
                422,
                f"segment {name[:40]!r} is drawn in; move it into that of a target, or remove it: nothing was stored",
            )
    if len({name.casefold() for name in drawn} - {LESION}) > 1:
        raise ProblemError(422, "a case holds one target, but two segments are drawn in; empty one: nothing was stored")
