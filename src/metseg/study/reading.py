"""Turn found files into studies; what cannot be used is listed, never dropped in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study.discovery import StudyFiles, find_studies
from metseg.study.geometry import Geometry
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, Study, assumed_sequences
from metseg.study.preflight import TiffHeader, preflight
from metseg.study.sidecar import Spacing, read_spacing, sidecar_of
from metseg.study.tiff import read_into, read_tiff

#: Largest decoded size of one study, in bytes.
MAX_STUDY: Final = 2 << 30
#: More distinct values than this are a picture, not a mask.
MAX_MASK_VALUES: Final = 32


@dataclass(frozen=True, eq=False)
class Loaded:
    """What came of reading one :class:`StudyFiles`.

    Attributes
    ----------
    studies : tuple of Study
        The study; further studies of the same name where slices differ in size, depth or channels, the one
        with most slices first; empty if nothing could be read.
    problems : tuple of Problem
        Those of the names, and what was found on reading.
    """

    studies: tuple[Study, ...]
    problems: tuple[Problem, ...]


def load(files: StudyFiles) -> Loaded:
    """Read a study's files.

    A bad image becomes a refused :class:`Problem` and its slice is left out. A mask that is bad or does not fit
    its image becomes one too; its slice stays and has no mask: ``Study.slices[z].mask`` is ``None`` and
    nothing is known about lesions on it, although ``Study.mask`` is 0 there.

    Where ``files.sequences`` names the channels, images with another number of channels are refused. Else three
    channels are taken for pre-contrast, FLAIR and post-contrast, and a single one is of unknown sequence.

    Parameters
    ----------
    files : StudyFiles
        From :func:`find_studies`.
    """
    problems = list(files.problems)
    groups: dict[tuple[object, ...], list[_Image]] = defaultdict(list)
    for entry in files.slices:
        try:
            header = preflight(entry.image, files.channels)
        except UnreadableFileError as error:
            problems.append(_refused(error))
            continue
        groups[header.shape[1:], header.dtype].append(_Image(entry, header))
    ordered = sorted(groups.values(), key=_slices, reverse=True)
    for group in ordered[1:]:
        problems += [_unlike(image.header, ordered[0][0].header) for image in group]
    studies = [_read_group(files, group, problems) for group in ordered]
    return Loaded(tuple(study for study in studies if study is not None), tuple(problems))


def read_study(path: str | Path, sequences: Seq[Sequence] | None = None) -> Study:
    """Read the one study at ``path``, complete or not at all.

    Parameters
    ----------
    path : str or Path
        A TIFF or a patient's folder.
    sequences : sequence of Sequence, optional
        Which sequence each channel is, see :func:`find_studies`.

    Raises
    ------
    UnreadableFileError
        If one of its files cannot be used; :func:`load` reads the others.
    DataError
        If there is no study, or more than one.
    """
    found = find_studies(path, sequences)
    if len(found) > 1:
        names = ", ".join(files.name for files in found[:5]) + (", ..." if len(found) > 5 else "")
        raise DataError(f"{path}: holds {len(found)} studies ({names}); choose one")
    loaded = load(found[0])
    for problem in loaded.problems:
        if problem.refused:
            raise UnreadableFileError(problem.path, problem.reason)
    if len(loaded.studies) != 1:
        raise DataError("\n".join([f"{path}: its slices are not of one kind", *map(str, loaded.problems[:5])]))
    return loaded.studies[0]


@dataclass(frozen=True, slots=True)
class _Image:
    entry: SliceFile
    header: TiffHeader


def _slices(group: Iterable[_Image]) -> int:
    return sum(image.header.shape[0] for image in group)


def _refused(error: UnreadableFileError, kind: ProblemKind | None = None) -> Problem:
    usual = ProblemKind.TOO_LARGE if isinstance(error, TooLargeError) else ProblemKind.UNREADABLE
    return Problem(error.path, error.reason, refused=True, kind=kind or usual)


def _unlike(header: TiffHeader, usual: TiffHeader) -> Problem:
    reason = f"is {_describe(header)}, unlike most slices of its study ({_describe(usual)}); read as a study of its own"
    return Problem(header.path, reason, kind=ProblemKind.FORMAT)


def _describe(header: TiffHeader) -> str:
    _, channels, y, x = header.shape
    return f"{y} x {x}, {channels} channel{'s' if channels > 1 else ''}, {header.format.bits} bit"


def _read_group(files: StudyFiles, group: list[_Image], problems: list[Problem]) -> Study | None:
    """Read images of one kind; bad ones are added to ``problems``."""
    size = sum(image.header.nbytes for image in group)
    if size > MAX_STUDY:
        reason = f"{files.name} would take {size >> 20} MiB; at most {MAX_STUDY >> 20} MiB are read as one study"
        problems.append(Problem(files.folder, reason, refused=True, kind=ProblemKind.TOO_LARGE))
        return None
    total, (_, channels, height, width) = _slices(group), group[0].header.shape
    named = files.sequences
    if named is not None and len(named) != channels:
        problems.append(_misnamed(files, group[0].header, named))
        return None
    voxels = np.empty((channels, total, height, width), group[0].header.dtype)
    mask: npt.NDArray[np.uint8] | None = None
    slices: list[SliceFile] = []
    read: list[_Image] = []
    for image in group:
        here = slice(len(slices), len(slices) + image.header.shape[0])
        try:
            read_into(image.header, voxels[:, here].swapaxes(0, 1))
        except UnreadableFileError as error:
            problems.append(_refused(error))
            continue
        drawn = _read_mask(image, problems)
        if drawn is not None:
            mask = np.zeros((total, height, width), np.uint8) if mask is None else mask
            mask[here] = drawn
        trusted = image.entry.mask if drawn is not None else None
        slices += [SliceFile(image.entry.image, trusted, page) for page in range(image.header.shape[0])]
        read.append(image)
    if not slices:
        return None
    spacing = _spacing(files, read, problems)
    sequences = assumed_sequences(channels) if named is None else named
    if len(slices) < total:
        voxels = np.ascontiguousarray(voxels[:, : len(slices)])
        mask = None if mask is None else np.ascontiguousarray(mask[: len(slices)])
    study = Study(files.name, voxels, sequences, mask, Geometry.spaced(spacing), tuple(slices))
    problems += _stand_ins(study, files)
    return study


def _misnamed(files: StudyFiles, header: TiffHeader, named: Seq[Sequence]) -> Problem:
    where = files.folder if len(files.slices) > 1 else files.slices[0].image
    channels = header.shape[1]
    reason = (
        f"has {channels} channel{'s' * (channels != 1)}, and {len(named)} {'are' if len(named) > 1 else 'is'} named "
        f"({', '.join(named)})"
    )
    return Problem(where, reason, refused=True, kind=ProblemKind.SEQUENCE)


def _read_mask(image: _Image, problems: list[Problem]) -> npt.NDArray[np.uint8] | None:
    """0/1 mask of ``image``, (z, y, x); ``None`` if there is none that can be trusted."""
    path = image.entry.mask
    if path is None:
        return None
    try:
        header = preflight(path)
        if header.shape[1] != 1:
            raise UnreadableFileError(path, f"a mask has one channel, this file has {header.shape[1]}")
        slices, _, *size = image.header.shape
        if header.shape != (slices, 1, *size):
            raise UnreadableFileError(
                path,
                f"the mask is {_size(header)} but its image {image.entry.image.name} is {_size(image.header)}; "
                "the image is read without a mask",
            )
        values = read_tiff(path)[:, 0]
        distinct = np.count_nonzero(np.bincount(values.ravel()))
        if distinct > MAX_MASK_VALUES:
            raise UnreadableFileError(path, f"not a mask: it has {distinct} distinct values")
    except UnreadableFileError as error:
        problems.append(_refused(error, ProblemKind.MASK))
        return None
    drawn: npt.NDArray[np.uint8] = (values != 0).view(np.uint8)
    return drawn


def _size(header: TiffHeader) -> str:
    slices, _, y, x = header.shape
    return f"{y} x {x}" if slices == 1 else f"{slices} slices of {y} x {x}"


def _spacing(files: StudyFiles, images: list[_Image], problems: list[Problem]) -> Spacing | None:
    """What sidecars say, else ImageJ; ``None`` if nothing is said or two files disagree."""
    stated: dict[Spacing, Path] = {}
    study_wide = files.folder / f"{files.name}.tif"
    for path in dict.fromkeys([study_wide, *(image.entry.image for image in images)]):
        try:
            spacing = read_spacing(path)
        except UnreadableFileError as error:
            problems.append(Problem(error.path, error.reason, kind=ProblemKind.SPACING))
            return None
        if spacing is not None:
            stated.setdefault(spacing, sidecar_of(path))
    if not stated:
        for image in images:
            if image.header.spacing is not None:
                stated.setdefault(image.header.spacing, image.header.path)
    if len(stated) > 1:
        first, second, *_ = stated.values()
        reason = f"states another spacing than {second.name}; the spacing is not known"
        problems.append(Problem(first, reason, kind=ProblemKind.SPACING))
        return None
    return next(iter(stated), None)


def _stand_ins(study: Study, files: StudyFiles) -> list[Problem]:
    where = files.folder if len(files.slices) > 1 else files.slices[0].image
    return [
        Problem(where, f"{sequence} is missing: FLAIR stands in its place", kind=ProblemKind.SEQUENCE)
        for sequence in study.stand_ins
    ]
