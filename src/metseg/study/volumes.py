"""Volumes, which know their grid, as studies: one file or series for all sequences, or one each."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study.assembly import described_size, misnamed
from metseg.study.formats import Header, find_images, is_outlines, read_voxels, refused
from metseg.study.geometry import on_grid
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import MaskPages, lesions
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, Study, reference_of
from metseg.study.naming import StudyFiles
from metseg.study.resampling import on_voxels_of, resample
from metseg.study.stored_values import make_finite

NO_MEMORY = "there is not enough memory to read its study"
#: A mask on other voxels is used if this much of its volume is left on those of its image.
_KEPT = 0.5


def load_volumes(files: StudyFiles, entries: Seq[SliceFile], problems: list[Problem]) -> list[Study]:
    """Read the volumes among a study's files; each is a study.

    Where each sequence has a file or series of its own, they are brought to the grid that the mask is drawn on, else
    that of FLAIR, else of what is there, by where they are in the patient; what does not say where it is, and is of
    another size, is left out with a remark.

    Parameters
    ----------
    files : StudyFiles
        What they are of.
    entries : sequence of SliceFile
        Those of its files that are volumes, which know their grid.
    problems : list of Problem
        Gets what is wrong with the files, and what is odd.
    """
    studies: list[Study] = []
    for entry in entries:
        headers = _headers(files, entry, problems)
        try:
            if headers:
                studies += _volume(files, entry, headers, problems)
        except UnreadableFileError as error:
            problems.append(refused(error))
        except MemoryError:
            problems.append(refused(TooLargeError(entry.image, NO_MEMORY)))
    return studies


def _headers(files: StudyFiles, entry: SliceFile, problems: list[Problem]) -> list[Header]:
    """Headers of the entry's files or series, with the sequence that names or headers give them."""
    headers: list[Header] = []
    for index, path in enumerate(entry.images):
        series = next((one for one in files.series if path in one), (path,))
        found = find_images(series, files.channels)
        problems += found.problems
        for header in found.images:
            problems += header.problems
            stated = files.named[index] if files.named and index < len(files.named) else Sequence.UNKNOWN
            if stated is not Sequence.UNKNOWN and header.shape[0] == 1:
                header = replace(header, sequences=(stated,))
            headers.append(header)
    return headers


def _volume(files: StudyFiles, entry: SliceFile, headers: list[Header], problems: list[Problem]) -> list[Study]:
    """One study, or none if it cannot be used."""
    reference = _reference(entry, headers)
    kept = [header for header in headers if header is reference or _fits(header, reference, problems)]
    named = files.sequences or tuple(
        sequence for header in kept for sequence in header.sequences or (Sequence.UNKNOWN,) * header.shape[0]
    )
    channels: list[npt.NDArray[Any]] = []
    for header in kept:
        voxels = read_voxels(header)
        if not make_finite(voxels, header.path, problems):
            return []
        channels.extend(on_voxels_of(voxels, header.geometry, reference.geometry, reference.shape[1:]))
    if len(named) != len(channels):
        problems.append(misnamed(reference.path, len(channels), named))
        return []
    mask = _mask(entry, reference, files.labels, problems)
    others = tuple(path for header in kept if header is not reference for path in header.files)
    trusted = replace(entry, others=others)
    if mask is None:
        trusted = replace(trusted, mask=None, more_masks=())
    slices = tuple(replace(trusted, image=reference.files[file], page=page) for file, page in reference.pages)
    study = Study(
        files.name,
        np.stack(channels),
        named,
        mask,
        reference.geometry,
        slices,
        reference.stored,
        patient=files.visit_of or "",
        date=reference.acquisition.day,
    )
    return [study]


def _reference(entry: SliceFile, headers: Seq[Header]) -> Header:
    """The image whose grid all are brought to: of those that the mask is drawn on, if there are any, else of all."""
    drawn_on: list[Header] = []
    if entry.mask is not None and not is_outlines(entry.mask):
        with suppress(UnreadableFileError):  # which is said where masks are read
            mask = mask_header(entry.mask)
            drawn_on = [header for header in headers if _is_alike(mask, header)]
    among = drawn_on or headers
    return among[reference_of([header.sequences[0] if header.sequences else None for header in among])]


def _is_alike(one: Header, other: Header) -> bool:
    """Whether two files say that they lie on the same voxels."""
    return (
        one.geometry.is_placed
        and other.geometry.is_placed
        and one.shape[1:] == other.shape[1:]
        and one.geometry.is_same(other.geometry, one.shape[1:])
    )


def _fits(header: Header, reference: Header, problems: list[Problem]) -> bool:
    """Whether a file can be brought to the reference's grid; a remark is made if it was on another, or cannot."""
    if header.geometry.is_placed and reference.geometry.is_placed:
        if not _is_alike(header, reference):
            reason = f"lies on other voxels than {reference.path.name}: interpolated there by its place in the patient"
            problems.append(Problem(header.path, reason, kind=ProblemKind.FORMAT))
        return True
    if header.shape[1:] == reference.shape[1:]:
        return True
    reason = (
        f"is {described_size(header.shape[1:])}, but {reference.path.name} is {described_size(reference.shape[1:])}, "
        "and they do not both say where they lie: the sequence was left out"
    )
    problems.append(Problem(header.path, reason, kind=ProblemKind.SEQUENCE))
    return False


def _mask(
    entry: SliceFile, image: Header, labels: tuple[int, ...] | None, problems: list[Problem]
) -> npt.NDArray[np.uint8] | None:
    """The masks of an entry on the grid of ``image``, united, 0 and 1; ``None`` if one of them cannot be used."""
    headers: list[Header] = []
    read: list[MaskPages] = []
    for path in entry.masks:
        try:
            headers.append(mask_header(path, image.shape[1], (image.geometry, image.shape[1:])))
            problems += headers[-1].problems if is_outlines(path) else ()
            read.append(read_mask(headers[-1]))
        except UnreadableFileError as error:
            problems.append(refused(error, ProblemKind.MASK))
            return None
    masks, remarks = lesions(read, labels)
    problems += remarks
    united = np.zeros(image.shape[1:], np.uint8)
    for header, mask in zip(headers, masks, strict=True):
        if mask is None:
            return None
        try:
            united |= on_grid(mask, header.geometry, image.geometry, image.shape[1:])
        except DataError:
            name, moved = image.path.name, _moved(mask, header, image)
            if moved is None:
                reason = f"the mask does not lie on the voxels of its image {name}; the image is read without a mask"
                problems.append(Problem(header.path, reason, refused=True, kind=ProblemKind.MASK))
                return None
            united |= moved
            reason = (
                f"the mask lies on other voxels than {name}: taken there by its place, which moves its edge a little"
            )
            problems.append(Problem(header.path, reason, kind=ProblemKind.MASK))
    return united if masks else None


def _moved(mask: npt.NDArray[np.uint8], header: Header, image: Header) -> npt.NDArray[np.bool_] | None:
    """A mask on the voxels of ``image`` by its place; ``None`` if that is not known or much of it lies elsewhere."""
    here, there = header.geometry, image.geometry
    if not (here.is_placed and there.is_placed):
        return None
    moved = resample(mask.astype(np.float32), here, there, image.shape[1:]) >= 0.5
    drawn = np.count_nonzero(mask) * abs(np.linalg.det(here.drawn[:3, :3]))
    kept = np.count_nonzero(moved) * abs(np.linalg.det(there.drawn[:3, :3]))
    return moved if kept >= _KEPT * drawn else None
