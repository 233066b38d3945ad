"""``manifest.json``: every file of an export with its hash, and where every mask comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from metseg.curation.changes import Labels
from metseg.curation.documents import read_document
from metseg.curation.enums import Origin, Status
from metseg.curation.state import EditStatistics, Provenance, Sha256
from metseg.errors import DataError
from metseg.study import Geometry, Sequence

FILE = "manifest.json"

#: Fields of a case that are written only if they say something.
_OPTIONAL = ("placement", "placement_lost")


class Layout(StrEnum):
    """How an export is laid out."""

    PAIRS = "pairs"
    NNUNET = "nnunet"
    NIFTI = "nifti"
    COCO = "coco"


class Subset(StrEnum):
    """Subset of the split; no patient is on both."""

    TRAIN = "train"
    HELD_OUT = "held_out"


class FileRole(StrEnum):
    """What a file is."""

    IMAGE = "image"
    MASK = "mask"
    ABOUT = "about"


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in path or ":" in pure.parts[0]:
        raise ValueError(f"{path} does not lie inside the export")
    return path


class ExportedFile(BaseModel, frozen=True, extra="forbid"):
    """One file.

    Attributes
    ----------
    path : str
        From the export's folder, with ``/``.
    z : int or None
        The slice it holds; ``None`` if it holds all, or none.
    """

    path: Annotated[str, AfterValidator(_inside)]
    role: FileRole
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    z: Annotated[int, Field(ge=0)] | None = None


class JournalPosition(BaseModel, frozen=True, extra="forbid"):
    """A record of a case's journal: its number, and the hash of its bytes, which stands for all records before it."""

    seq: Annotated[int, Field(ge=1)]
    sha256: Sha256


class ModelMask(BaseModel, frozen=True, extra="forbid"):
    """The network's mask that a case began from.

    Attributes
    ----------
    provenance : Provenance
        Network, hash of its weights, threshold, preprocessing and post-processing.
    probabilities_sha256 : str
        Of the stored probabilities (uint8, z-y-x order).
    journal : JournalPosition or None
        Where it was taken over; ``None`` if that record is damaged.
    """

    provenance: Provenance
    probabilities_sha256: Sha256
    journal: JournalPosition | None = None


class ExportedLesion(BaseModel, frozen=True, extra="forbid"):
    """One lesion.

    Attributes
    ----------
    origin : Origin
        DICOM's word for how it came to be.
    runs : str
        Its voxels as ``start+length`` of each run in the flat volume (z-y-x order, from 0).
    """

    id: Annotated[int, Field(ge=1, le=65535)]
    origin: Origin
    voxels: Annotated[int, Field(ge=1)]
    runs: Annotated[str, Field(pattern=r"^[0-9]+\+[0-9]+( [0-9]+\+[0-9]+)*$")]


class ExportedCase(BaseModel, frozen=True, extra="forbid"):
    """One case as it was exported.

    Attributes
    ----------
    name, stem : str
        Its name in the project, and in the names of files.
    patient : str
        Whom it is of; decides the side.
    status, reason, status_time, status_by
        Where it stood, why, since when, by whose record (a pseudonym).
    spacing : (z, y, x) in mm, or None if unknown
    placement : Geometry or None
        Where the voxels are, if that is known.
    placement_lost : bool
        Whether that was known once.
    sources : tuple of str
        sha256 of the image files it was made from.
    labels_sha256 : str
        Of the labels (uint16, little-endian, z-y-x order).
    journal : JournalPosition
        The mask's parent: the state of the case that was exported.
    statistics : EditStatistics
        With the annotators' pseudonyms.
    """

    name: str
    stem: str
    patient: str
    side: Subset
    status: Status
    reason: str = ""
    status_time: AwareDatetime | None = None
    status_by: str = ""
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None
    placement: Geometry | None = None
    placement_lost: bool = False
    sequences: tuple[Sequence, ...]
    sources: tuple[Sha256, ...]
    labels_sha256: Sha256
    journal: JournalPosition
    model: ModelMask | None
    lesions: tuple[ExportedLesion, ...]
    statistics: EditStatistics
    software: str
    files: tuple[ExportedFile, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """Where the voxels are, as far as it is known."""
        return self.placement or Geometry.spaced(self.spacing)

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is not known: manifests that know nothing of places keep their hashes."""
        content: dict[str, Any] = handler(self)
        return {key: value for key, value in content.items() if key not in _OPTIONAL or value}

    @property
    def images(self) -> tuple[ExportedFile, ...]:
        """Its image files."""
        return tuple(file for file in self.files if file.role is FileRole.IMAGE)


class SplitRule(BaseModel, frozen=True, extra="forbid"):
    """How the sides were drawn: by a hash of seed and patient, so that who is held out stays held out."""

    held_out: float
    seed: int
    patient_pattern: str = ""


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """``manifest.json``; written last, it makes a folder an export.

    Attributes
    ----------
    time : datetime
        Of the newest record that is in it, so that the same cases give the same bytes.
    licence : str
        Of the data; empty if nobody said.
    files : tuple of ExportedFile
        Those that belong to no case.
    sha256 : str
        Of this manifest without this field.
    """

    format: Literal["metseg-export"] = "metseg-export"
    version: Literal[1] = 1
    layout: Layout
    project: str
    software: str
    time: AwareDatetime
    licence: str = ""
    split: SplitRule
    cases: tuple[ExportedCase, ...]
    files: tuple[ExportedFile, ...]
    sha256: str = ""

    def sealed(self) -> Manifest:
        """This manifest with its own hash."""
        return self.model_copy(update={"sha256": self._digest()})

    def all_files(self) -> Iterator[ExportedFile]:
        """Every file but the manifest."""
        for case in self.cases:
            yield from case.files
        yield from self.files

    def _digest(self) -> str:
        text = self.model_copy(update={"sha256": ""}).model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()

    @model_validator(mode="after")
    def _unchanged(self) -> Manifest:
        if self.sha256 and self.sha256 != self._digest():
            raise ValueError("was changed after it was written")
        return self


def read_manifest(out: Path) -> Manifest:
    """The manifest of the export in folder ``out``.

    Raises
    ------
    UnreadableFileError
        If it is missing, damaged or changed.
    """
    return read_document(out / FILE, Manifest)


def encode_runs(index: npt.NDArray[np.intp]) -> str:
    """Rising positions in the flat volume, at least one, as runs."""
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    starts = index[np.concatenate([[0], breaks])]
    lengths = np.diff(np.concatenate([[0], breaks, [index.size]]))
    return " ".join(f"{start}+{length}" for start, length in zip(starts.tolist(), lengths.tolist(), strict=True))


def labels_from_runs(lesions: Iterable[ExportedLesion], shape: tuple[int, int, int]) -> Labels:
    """The labels, uint16 (z, y, x), that the lesions make together.

    Raises
    ------
    DataError
        If a lesion lies outside the volume, overlaps another, or has not as many voxels as it says.
    """
    labels = np.zeros(shape, np.uint16)
    flat = labels.reshape(-1)
    for lesion in lesions:
        count = 0
        for run in lesion.runs.split(" "):
            start, length = map(int, run.split("+"))
            part = flat[start : start + length]
            if len(part) != length or part.any():
                raise DataError(f"lesion {lesion.id} lies outside its image or in another lesion")
            part[:] = lesion.id
            count += length
        if count != lesion.voxels:
            raise DataError(f"lesion {lesion.id} has {count} voxels, not {lesion.voxels}")
    return labels
