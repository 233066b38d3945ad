"""Turn found files into studies; what cannot be used is listed, never dropped in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study.assembly import Assembled, assemble, misnamed, read_masks
from metseg.study.discovery import find_studies
from metseg.study.formats import Header, is_picture, is_tiff, refused
from metseg.study.geometry import Geometry, Spacing
from metseg.study.masks import MaskPages, lesions
from metseg.study.model import Problem, ProblemKind, Sequence, Study, assumed_sequences
from metseg.study.naming import StudyFiles
from metseg.study.pageformat import sort_of_numbers
from metseg.study.rules_file import DataFolder, NameRules
from metseg.study.sidecar import read_spacing, sidecar_of
from metseg.study.stored_values import make_finite
from metseg.study.volumes import NO_MEMORY, load_volumes

#: Largest decoded size of one study, in bytes.
MAX_STUDY: Final = 2 << 30


@dataclass(frozen=True, eq=False)
class LoadedStudies:
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


def load(files: StudyFiles) -> LoadedStudies:
    """Read a study's files.

    A bad image becomes a refused :class:`Problem` and its slice is left out. A mask that is bad or does not fit
    its image becomes one too; its slice stays and has no mask: ``Study.slices[z].mask`` is ``None`` and
    nothing is known about lesions on it, although ``Study.mask`` is 0 there.

    Where each sequence has a file of its own, they are put together if their slices are alike; a sequence that is not
    like the others is left out, with a remark.

    Where ``files.sequences`` names the channels of a file, images with another number of channels are refused. Else
    names of files say which sequence they are; else three channels are taken for pre-contrast, FLAIR and
    post-contrast, and a single one is of unknown sequence.
    """
    problems = list(files.problems)
    volumes = [entry for entry in files.slices if not all(is_tiff(path) or is_picture(path) for path in entry.images)]
    studies = load_volumes(files, volumes, problems)
    groups: dict[tuple[object, ...], list[Assembled]] = defaultdict(list)
    for entry in files.slices:
        if entry in volumes:
            continue
        image = assemble(files, entry, problems)
        if image is not None:
            groups[image.kind].append(image)
    ordered = sorted(groups.values(), key=_slices, reverse=True)
    for group in ordered[1:]:
        problems += [_unlike(image.headers[0], ordered[0][0].headers[0]) for image in group]
    for group in ordered:
        try:
            study = _read_group(files, group, problems)
        except MemoryError:
            problems.append(refused(TooLargeError(group[0].entry.image, NO_MEMORY)))
            continue
        studies += [] if study is None else [study]
    return LoadedStudies(tuple(studies), tuple(problems))


def read_study(
    path: str | Path | DataFolder, sequences: Seq[Sequence] | None = None, rules: NameRules | None = None
) -> Study:
    """Read the one study at ``path``, complete or not at all.

    Parameters
    ----------
    path : str or Path
        A TIFF or a patient's folder.
    sequences : sequence of Sequence, optional
        Which sequence each channel is, see :func:`find_studies`.
    rules : NameRules, optional
        What files are by their names, see :func:`read_rules`.

    Raises
    ------
    UnreadableFileError
        If one of its files cannot be used; :func:`load` reads the others.
    DataError
        If there is no study, or more than one.
    """
    found = find_studies(path, sequences, rules)
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


def _slices(group: Iterable[Assembled]) -> int:
    return sum(image.depth for image in group)


def _unlike(header: Header, usual: Header) -> Problem:
    reason = f"is {_describe(header)}, unlike most slices of its study ({_describe(usual)}); read as a study of its own"
    return Problem(header.path, reason, kind=ProblemKind.FORMAT)


def _describe(header: Header) -> str:
    channels, _, y, x = header.shape
    numbers = sort_of_numbers(header.dtype.kind, 8 * header.dtype.itemsize)
    return f"{y} x {x}, {channels} channel{'s' if channels > 1 else ''}, {numbers}"


def _read_group(files: StudyFiles, group: list[Assembled], problems: list[Problem]) -> Study | None:
    """Read images of one kind; bad ones are added to ``problems``."""
    first = group[0]
    total, (height, width) = _slices(group), first.size
    size = total * first.channels * height * width * first.dtype.itemsize
    if size > MAX_STUDY:
        reason = f"{files.name} would take {size >> 20} MiB; at most {MAX_STUDY >> 20} MiB are read as one study"
        problems.append(Problem(files.folder, reason, refused=True, kind=ProblemKind.TOO_LARGE))
        return None
    stated = files.sequences if len(first.headers) == 1 or Sequence.UNKNOWN in first.sequences else None
    if stated is not None and len(stated) != first.channels:
        where = files.folder if len(files.slices) > 1 else first.entry.image
        problems.append(misnamed(where, first.channels, stated))
        return None
    voxels = np.empty((first.channels, total, height, width), first.dtype)
    read: list[Assembled] = []
    drawn: list[tuple[MaskPages, ...] | None] = []
    done = 0
    for image in group:
        here = slice(done, done + image.depth)
        try:
            image.read_into(voxels[:, here])
        except UnreadableFileError as error:
            problems.append(refused(error))
            continue
        done = here.stop
        read.append(image)
        drawn.append(read_masks(image, problems))
    if not read:
        return None
    if done < total:
        voxels = np.ascontiguousarray(voxels[:, :done])
    problems += _remarks(read)
    if not make_finite(voxels, read[0].entry.image, problems):
        return None
    mask, trusted = _lesions(files, read, drawn, (done, height, width), problems)
    entries = [
        image.entry if used else replace(image.entry, mask=None, more_masks=())
        for image, used in zip(read, trusted, strict=True)
    ]
    slices = [
        replace(entry, page=page) for entry, image in zip(entries, read, strict=True) for page in range(image.depth)
    ]
    spacing = _spacing(files, read, problems)
    voxels, sequences = _named(files, first, voxels, stated, problems)
    geometry = Geometry.spaced(spacing)
    study = Study(files.name, voxels, sequences, mask, geometry, tuple(slices), patient=files.visit_of or "")
    problems += _stand_ins(study, files)
    return study


def _named(
    files: StudyFiles,
    first: Assembled,
    voxels: npt.NDArray[Any],
    stated: tuple[Sequence, ...] | None,
    problems: list[Problem],
) -> tuple[npt.NDArray[Any], tuple[Sequence, ...]]:
    """Which sequence each channel is; a single sequence that was saved in colours becomes one channel."""
    by_name = first.sequences
    if stated is not None:
        if by_name and len(by_name) == len(stated) and Sequence.UNKNOWN not in by_name and by_name != stated:
            reason = f"is {' and '.join(by_name)} by its name, and taken for {' and '.join(stated)} as you said"
            problems.append(Problem(first.entry.image, reason, kind=ProblemKind.SEQUENCE))
        return voxels, stated
    if len(by_name) == len(voxels):
        return voxels, by_name
    if len(by_name) == 1 and all(np.array_equal(voxels[0], channel) for channel in voxels[1:]):
        return voxels[:1], by_name
    sequences = assumed_sequences(len(voxels))
    if by_name:
        reason = (
            f"is {by_name[0]} by its name but has {len(voxels)} channels; they are taken for {', '.join(sequences)}"
        )
        problems.append(Problem(first.entry.image, reason, kind=ProblemKind.SEQUENCE))
    return voxels, sequences


def _remarks(images: list[Assembled]) -> list[Problem]:
    """What is said of how images are read, once for all of them."""
    stated: dict[str, list[Path]] = defaultdict(list)
    for header in (header for image in images for header in image.headers):
        for problem in header.problems:
            stated[problem.reason].append(header.path)
    return [
        Problem(paths[0], reason + _as_others(len(paths)), kind=ProblemKind.FORMAT) for reason, paths in stated.items()
    ]


def _as_others(files: int) -> str:
    return f" (as {files - 1} other file{'s' * (files > 2)} of the study)" if files > 1 else ""


def _lesions(
    files: StudyFiles,
    images: list[Assembled],
    drawn: list[tuple[MaskPages, ...] | None],
    shape: tuple[int, int, int],
    problems: list[Problem],
) -> tuple[npt.NDArray[np.uint8] | None, list[bool]]:
    """The mask of a study, if there is any, and which images have one that can be trusted.

    Several masks of an image are united; if one of them cannot be used, none is.
    """
    masks, remarks = lesions([page for pages in drawn for page in pages or ()], files.labels)
    problems += remarks
    waiting, every = iter(masks), np.zeros(shape, np.uint8)
    trusted: list[bool] = []
    done = 0
    for image, pages in zip(images, drawn, strict=True):
        found = [next(waiting) for _ in pages or ()]
        own = [mask for mask in found if mask is not None]
        trusted.append(bool(own) and len(own) == len(found))
        if trusted[-1]:
            every[done : done + image.depth] = np.bitwise_or.reduce(own)
        done += image.depth
    return (every if any(trusted) else None), trusted


def _spacing(files: StudyFiles, images: list[Assembled], problems: list[Problem]) -> Spacing | None:
    """What sidecars say, else ImageJ; ``None`` if nothing is said or two files disagree."""
    stated: dict[Spacing, Path] = {}
    study_wide = files.folder / f"{files.name}.tif"
    for path in dict.fromkeys([study_wide, *(path for image in images for path in image.entry.images)]):
        try:
            spacing = read_spacing(path)
        except UnreadableFileError as error:
            problems.append(Problem(error.path, error.reason, kind=ProblemKind.SPACING))
            return None
        if spacing is not None:
            stated.setdefault(spacing, sidecar_of(path))
    if not stated:
        for header in (header for image in images for header in image.headers):
            if header.geometry.spacing is not None:
                stated.setdefault(header.geometry.spacing, header.path)
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
