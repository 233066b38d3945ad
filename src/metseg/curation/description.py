"""``case.json``: which images a case is of. They stay where they are; their hashes make sure that they are the same.

Descriptions of projects of earlier versions, which knew no more of a case than its spacing, are read too.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, model_validator

from metseg.curation.documents import read_document
from metseg.curation.record import now
from metseg.curation.state import Sha256
from metseg.errors import DataError, UnreadableFileError
from metseg.study import Geometry, Sequence, SliceFile, Study, StudyFiles, file_sha256, load, number_slices
from metseg.study.formats import error_of, find_images, is_picture, is_tiff, read_voxels
from metseg.study.ifd import MAX_PAGES
from metseg.study.model import reference_of
from metseg.study.preflight import MAX_DECODED
from metseg.study.stored_values import fill_non_finite

Size = Annotated[int, Field(ge=1)]
Row = tuple[float, float, float, float]

#: Folder in the project for images that came over the network.
UPLOADS = "uploads"

_PLACEMENT_ENDING = ".grid.json"
_SPACING = TypeAdapter(tuple[float, float, float] | None)


class ImageFile(BaseModel, frozen=True, extra="forbid"):
    """One image file: path from the project's folder (absolute on another drive), and hash of its bytes."""

    path: str
    sha256: Sha256


class CaseDescription(BaseModel, frozen=True, extra="forbid"):
    """What a case is of.

    Attributes
    ----------
    geometry : Geometry
        Where the voxels are, as far as it is known.
    placement_lost : bool
        Whether the images once said where they lie, and nobody knows any more.
    sequences : tuple of str
        Which sequence each channel is.
    slices : tuple of (image, page)
        Where each slice comes from.
    others : tuple of tuple of ImageFile
        For each image the files of its other channels, where each has one of its own; of a volume at the first.
    patient : str
        Whom it is of; empty if that is its name.
    """

    format: Literal["metseg-case"] = "metseg-case"
    version: Literal[1, 2] = 2
    name: str
    shape: tuple[Size, Size, Size]
    geometry: Geometry
    placement_lost: bool = False
    sequences: Annotated[tuple[Sequence, ...], Field(min_length=1)]
    images: tuple[ImageFile, ...]
    slices: tuple[tuple[int, int], ...]
    others: tuple[tuple[ImageFile, ...], ...] = ()
    patient: str = ""
    added: AwareDatetime

    @model_validator(mode="before")
    @classmethod
    def _of_the_first_version(cls, content: Any) -> Any:
        """Version 1 knew no more than the spacing."""
        if not isinstance(content, dict) or content.get("version") != 1 or "spacing" not in content:
            return content
        spacing = _SPACING.validate_python(content["spacing"])
        rest = {key: value for key, value in content.items() if key != "spacing"}
        return {**rest, "geometry": Geometry.spaced(spacing)}

    @model_validator(mode="after")
    def _fits(self) -> CaseDescription:
        if len(self.slices) != self.shape[0]:
            raise ValueError(f"{len(self.slices)} slices for a depth of {self.shape[0]}")
        if any(not 0 <= image < len(self.images) or page < 0 for image, page in self.slices):
            raise ValueError("a slice names an image that is not listed")
        if 2 * self.shape[0] * self.shape[1] * self.shape[2] > MAX_DECODED:
            raise ValueError(f"{self.shape} voxels are too many")
        return self

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Along (z, y, x) in mm; ``None`` if it is not known."""
        return self.geometry.spacing

    @cached_property
    def identity(self) -> str:
        """Hash of name, shape and pixels' files: the same wherever the files are."""
        slices = [(self.images[image].sha256, page) for image, page in self.slices]
        text = json.dumps([self.name, self.shape, slices], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def slice_numbers(self) -> tuple[int, ...]:
        """The number by which people call each slice, see :func:`metseg.study.number_slices`."""
        return number_slices([(self.images[image].path, page) for image, page in self.slices])


def describe(study: Study, root: Path) -> CaseDescription:
    """Describe ``study`` for the project in ``root``; its files are hashed.

    Raises
    ------
    DataError
        If the study is not from files, or is too large for one labels file.
    UnreadableFileError
        If a file is gone.
    """
    if not study.slices:
        raise DataError(f"{study.name}: is not from a file; save it as TIFF and add that")
    if 2 * study.voxels[0].size > MAX_DECODED or study.shape[0] > MAX_PAGES:
        raise DataError(f"{study.name}: {study.shape} voxels are more than a case can have")
    listed = study.stored.files if study.stored is not None else [entry.image for entry in study.slices]
    paths = list(dict.fromkeys(listed))
    return CaseDescription(
        name=study.name,
        shape=study.shape,
        geometry=study.geometry,
        sequences=study.sequences,
        images=tuple(ImageFile(path=portable(path, root), sha256=file_sha256(path)) for path in paths),
        slices=tuple((paths.index(entry.image), entry.page) for entry in study.slices),
        others=_others(study, paths, root),
        patient=study.patient,
        added=now(),
    )


def _others(study: Study, paths: list[Path], root: Path) -> tuple[tuple[ImageFile, ...], ...]:
    """For each of ``paths`` the files of its other channels; empty if no image has any."""
    others = {entry.image: entry.others for entry in study.slices if entry.others}
    if not others:
        return ()
    if study.stored is not None:  # all slices have the same
        others = {paths[0]: study.slices[0].others}
    return tuple(
        tuple(ImageFile(path=portable(other, root), sha256=file_sha256(other)) for other in others.get(path, ()))
        for path in paths
    )


def portable(path: Path, root: Path) -> str:
    """``path`` as seen from ``root``, with ``/``; absolute where there is no way between them (two drives)."""
    try:
        return Path(os.path.relpath(os.path.realpath(path), os.path.realpath(root))).as_posix()
    except ValueError:
        return Path(os.path.realpath(path)).as_posix()


def read_images(case: CaseDescription, root: Path) -> Study:
    """Read the images of a case, without mask.

    Raises
    ------
    UnreadableFileError
        If a file is gone, or its bytes are not those that were added.
    """
    study = _of_many_files(case, root) if any(case.others) else _of_own_files(case, root)
    return replace(study, patient=case.patient)


def _of_many_files(case: CaseDescription, root: Path) -> Study:
    images = [check_unchanged(image, root / image.path) for image in case.images]
    others = [tuple(check_unchanged(image, root / image.path) for image in group) for group in case.others]
    if is_tiff(images[0]) or is_picture(images[0]):
        used = dict.fromkeys(index for index, _ in case.slices)
        slices = tuple(SliceFile(images[index], others=others[index]) for index in used)
        files = StudyFiles(case.name, images[0].parent, slices, named=case.sequences)
    else:
        files = _volumes(case, images, [path for group in others for path in group])
    loaded = load(files)
    found = [study for study in loaded.studies if (study.shape, study.sequences) == (case.shape, case.sequences)]
    if len(found) != 1:
        reasons = "; ".join(problem.reason for problem in loaded.problems if problem.refused)
        mismatch = "it and its other sequences do not hold the slices that case.json names"
        raise UnreadableFileError(images[0], mismatch + (f": {reasons}" * bool(reasons)))
    return found[0]


def _volumes(case: CaseDescription, images: list[Path], others: list[Path]) -> StudyFiles:
    """A volume a sequence, in the order of the case's channels; ``images`` are the files of the one with its grid."""
    found = find_images(list(dict.fromkeys([*images, *others]))).images
    ordered = [header for header in found if images[0] not in header.files]
    if len(ordered) == len(found):
        raise UnreadableFileError(images[0], "does not hold the volume that case.json names")
    reference = next(header for header in found if images[0] in header.files)
    ordered.insert(reference_of(case.sequences) if len(found) == len(case.sequences) else 0, reference)
    first, *rest = (header.path for header in ordered)
    return StudyFiles(
        case.name,
        first.parent,
        (SliceFile(first, others=tuple(rest)),),
        named=case.sequences if len(found) == len(case.sequences) else None,
        series=tuple(header.files for header in ordered),
    )


def _of_own_files(case: CaseDescription, root: Path) -> Study:
    paths = [check_unchanged(image, root / image.path) for image in case.images]
    slices = tuple(SliceFile(paths[image], None, page) for image, page in case.slices)
    found = find_images(paths, len(case.sequences))
    for problem in found.problems:
        if problem.refused:
            raise error_of(problem)
    volume = next((header for header in found.images if header.stored is not None), None)
    if volume is None:
        read = {header.path: read_voxels(header) for header in found.images}
        for entry in slices:
            channels, depth, *size = read[entry.image].shape
            if entry.page >= depth or (channels, *size) != (len(case.sequences), *case.shape[1:]):
                raise UnreadableFileError(entry.image, "does not hold the slices that case.json names")
        voxels = np.stack([read[entry.image][:, entry.page] for entry in slices], axis=1)
    elif volume.shape == (len(case.sequences), *case.shape):
        voxels = read_voxels(volume)
    else:
        raise UnreadableFileError(volume.path, "does not hold the volume that case.json names")
    if fill_non_finite(voxels) is None:
        raise UnreadableFileError(slices[0].image, "holds no finite value")
    stored = None if volume is None else volume.stored
    return Study(case.name, voxels, case.sequences, geometry=case.geometry, slices=slices, stored=stored)


def check_unchanged(image: ImageFile, path: Path) -> Path:
    """``path``, if it holds the bytes that were added; UnreadableFileError if it is gone, or has changed."""
    if not path.exists():
        raise UnreadableFileError(path, "is gone; if the images were moved, say where to (relocate)")
    if file_sha256(path) != image.sha256:
        raise UnreadableFileError(path, "has changed since it was added to the project; put the old file back")
    return path


class _Placement(BaseModel, frozen=True, extra="forbid"):
    """``<name>.grid.json``."""

    format: Literal["metseg-grid"] = "metseg-grid"
    version: Literal[1] = 1
    affine: Annotated[tuple[Row, ...], Field(min_length=4, max_length=4)]


def read_description(path: Path, project: Path) -> CaseDescription:
    """Read the ``case.json`` at ``path``, of the project in ``project``; UnreadableFileError if it is damaged."""
    case = read_document(path, CaseDescription)
    return case if case.version == 2 else case.model_copy(update={"version": 2, **_placement(case, project)})


def _placement(case: CaseDescription, project: Path) -> dict[str, Any]:
    """What is known of the place of a case of the first version beside its spacing.

    Where an image came over the network from 3D Slicer, its affine lay beside it: it is read from there.
    """
    image = Path(case.images[0].path) if len(case.images) == 1 else None
    if image is None or image.parent != Path(UPLOADS):
        return {}
    try:
        beside = read_document(project / UPLOADS / f"{image.stem}{_PLACEMENT_ENDING}", _Placement)
        geometry = Geometry.placed(beside.affine)
    except (UnreadableFileError, DataError):
        return {"placement_lost": True}
    was_assumed = np.allclose(geometry.drawn, case.geometry.drawn, atol=1e-6)
    return {} if was_assumed else {"geometry": geometry}
