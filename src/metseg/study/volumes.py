"""Files that are no TIFF as studies: volumes that say how they lie, one file or series a sequence, and pictures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError
from metseg.study.discovery import StudyFiles
from metseg.study.formats import Header, find_images, header_of, read_voxels, refused
from metseg.study.geometry import reorder
from metseg.study.intensities import unsigned
from metseg.study.masks import MAX_MASK_VALUES
from metseg.study.model import REFERENCE_ORDER, Problem, ProblemKind, Sequence, SliceFile, Study, assumed_sequences
from metseg.study.resampling import resample


def load_volumes(files: StudyFiles) -> tuple[tuple[Study, ...], list[Problem]]:
    """Read a study's files; each entry of volumes is a study, slices of one size are one together.

    Where each sequence has a file or series of its own, they are brought to the grid of FLAIR, else of what is there,
    by where they are in the patient; what does not say where it is, and is of another size, is left out with a remark.

    Parameters
    ----------
    files : StudyFiles
        Of files of any format but TIFF.

    Returns
    -------
    studies : tuple of Study
    problems : list of Problem
        What is wrong with the files, and what is odd.
    """
    problems: list[Problem] = []
    studies: list[Study] = []
    slices: dict[tuple[object, ...], list[tuple[SliceFile, Header]]] = defaultdict(list)
    for entry in files.slices:
        headers = _headers(files, entry, problems)
        try:
            if headers and all(header.stored is None for header in headers):
                slices[tuple((header.shape, header.dtype) for header in headers)] += [
                    (entry, header) for header in headers
                ]
            elif headers:
                studies.append(_volume(files, entry, headers, problems))
        except UnreadableFileError as error:
            problems.append(refused(error))
        except DataError as error:
            problems.append(Problem(headers[0].path, str(error), refused=True, kind=ProblemKind.UNREADABLE))
    for group in sorted(slices.values(), key=len, reverse=True):
        study = _stack(files, group, problems)
        studies += [] if study is None else [study]
    return tuple(studies), problems


def _headers(files: StudyFiles, entry: SliceFile, problems: list[Problem]) -> list[Header]:
    """Headers of the entry's files or series, with the sequence that names or headers give them."""
    headers: list[Header] = []
    for index, path in enumerate(entry.images):
        series = next((one for one in files.series if path in one), (path,))
        found = find_images(series, files.channels)
        problems += found.problems
        for header in found.images:
            problems += header.problems
            said = files.named[index] if files.named and index < len(files.named) else Sequence.UNKNOWN
            if said is not Sequence.UNKNOWN and header.shape[0] == 1:
                header = replace(header, sequences=(said,))
            headers.append(header)
    return headers


def _volume(files: StudyFiles, entry: SliceFile, headers: list[Header], problems: list[Problem]) -> Study:
    reference = min(headers, key=lambda header: _rank(header))
    kept = [header for header in headers if header is reference or _fits(header, reference, problems)]
    named = files.sequences or tuple(
        sequence for header in kept for sequence in header.sequences or (Sequence.UNKNOWN,) * header.shape[0]
    )
    channels = np.concatenate([_on(reference, header) for header in kept])
    if len(named) != len(channels):
        raise DataError(_misnamed(len(channels), named))
    voxels, remarks = unsigned(channels)
    problems += [Problem(reference.path, text, kind=ProblemKind.FORMAT) for text in remarks]
    mask = None
    for path in () if entry.mask is None else (entry.mask, *entry.more_masks):
        drawn = _mask(path, reference, files.labels, problems)
        mask = drawn if mask is None or drawn is None else mask | drawn
        if drawn is None:
            break
    trusted = replace(entry, mask=None, more_masks=()) if mask is None else entry
    slices = tuple(replace(trusted, image=reference.files[file], page=page) for file, page in reference.pages)
    return Study(
        files.name, voxels, named, mask, reference.geometry, slices, reference.stored, patient=files.visit_of or ""
    )


def _rank(header: Header) -> int:
    sequence = header.sequences[0] if header.sequences else Sequence.UNKNOWN
    return REFERENCE_ORDER.index(sequence) if sequence in REFERENCE_ORDER else len(REFERENCE_ORDER)


def _fits(header: Header, reference: Header, problems: list[Problem]) -> bool:
    """Whether a file can be brought to the reference's grid; a remark is made if it was on another, or cannot."""
    if header.geometry.is_placed and reference.geometry.is_placed:
        if header.shape[1:] != reference.shape[1:] or not header.geometry.is_same(reference.geometry, header.shape[1:]):
            reason = f"lies on other voxels than {reference.path.name}: interpolated there by its place in the patient"
            problems.append(Problem(header.path, reason, kind=ProblemKind.FORMAT))
        return True
    if header.shape[1:] == reference.shape[1:]:
        return True
    reason = (
        f"is {_size(header)}, but {reference.path.name} is {_size(reference)}, and they do not both say where they "
        "lie: the sequence was left out"
    )
    problems.append(Problem(header.path, reason, kind=ProblemKind.SEQUENCE))
    return False


def _on(reference: Header, header: Header) -> npt.NDArray[Any]:
    """Voxels (c, z, y, x) on the reference's grid."""
    voxels = read_voxels(header)
    shape = reference.shape[1:]
    both = header.geometry.is_placed and reference.geometry.is_placed
    if not both or (header.shape[1:] == shape and header.geometry.is_same(reference.geometry, shape)):
        return voxels
    return np.stack([resample(channel, header.geometry, reference.geometry, shape) for channel in voxels])


def _stack(files: StudyFiles, group: list[tuple[SliceFile, Header]], problems: list[Problem]) -> Study | None:
    """Slices of one size, one a file, as a study."""
    voxels: list[npt.NDArray[Any]] = []
    masks: list[npt.NDArray[np.uint8] | None] = []
    slices: list[SliceFile] = []
    for entry, header in group:
        try:
            voxels.append(read_voxels(header))
        except UnreadableFileError as error:
            problems.append(refused(error))
            continue
        masks.append(None if entry.mask is None else _mask(entry.mask, header, files.labels, problems))
        slices.append(entry if masks[-1] is not None else replace(entry, mask=None, more_masks=()))
    if not voxels:
        return None
    shape = group[0][1].shape
    named = files.sequences or (files.named if files.named and shape[0] == 1 else assumed_sequences(shape[0]))
    if len(named) != shape[0]:
        reason = _misnamed(shape[0], named)
        problems.append(Problem(slices[0].image, reason, refused=True, kind=ProblemKind.SEQUENCE))
        return None
    empty = np.zeros(shape[1:], np.uint8)
    drawn = None
    if any(mask is not None for mask in masks):
        drawn = np.concatenate([empty if mask is None else mask for mask in masks])
    return Study(
        files.name, np.concatenate(voxels, axis=1), named, drawn, slices=tuple(slices), patient=files.visit_of or ""
    )


def _misnamed(channels: int, named: tuple[Sequence, ...]) -> str:
    are = "are" if len(named) > 1 else "is"
    return f"has {channels} channel{'s' * (channels != 1)}, and {len(named)} {are} named ({', '.join(named)})"


def _mask(
    path: Path, image: Header, labels: tuple[int, ...] | None, problems: list[Problem]
) -> npt.NDArray[np.uint8] | None:
    """The mask at ``path`` on the grid of ``image``, 0 and 1; ``None`` if it cannot be used."""
    try:
        header = header_of(path)
        values = read_voxels(header)
        if (values != values[:1]).any():
            raise UnreadableFileError(path, f"a mask has one channel, this file has {header.shape[0]}")
        if len(np.unique(values)) > MAX_MASK_VALUES:
            raise UnreadableFileError(path, f"not a mask: it has {len(np.unique(values))} distinct values")
        inside = (values[0] != 0 if labels is None else np.isin(values[0], labels)).astype(np.uint8)
        both = header.geometry.is_placed and image.geometry.is_placed
        if not both and inside.shape != image.shape[1:]:
            raise DataError("the two images have not the same voxels")
        return reorder(inside, header.geometry, image.geometry, image.shape[1:]) if both else inside
    except UnreadableFileError as error:
        problems.append(refused(error, ProblemKind.MASK))
    except DataError:
        reason = f"the mask does not lie on the voxels of its image {image.path.name}; the image is read without a mask"
        problems.append(Problem(path, reason, refused=True, kind=ProblemKind.MASK))
    return None


def _size(header: Header) -> str:
    _, z, y, x = header.shape
    return f"{z} slices of {y} x {x}"
