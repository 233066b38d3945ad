"""Turn found files into studies; what cannot be used is listed, never dropped in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError
from metseg.study.assembly import MAX_MASK_VALUES as MAX_MASK_VALUES
from metseg.study.assembly import Assembled, assemble, read_mask, refused
from metseg.study.discovery import StudyFiles, find_studies
from metseg.study.formats import reader_by_name, reader_of
from metseg.study.geometry import Geometry
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, Study, assumed_sequences
from metseg.study.preflight import TiffHeader
from metseg.study.rules_file import DataFolder, NameRules
from metseg.study.sidecar import Spacing, read_spacing, sidecar_of
from metseg.study.volumes import load_volumes

#: Largest decoded size of one study, in bytes.
MAX_STUDY: Final = 2 << 30


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

    Where each sequence has a file of its own, they are put together if their slices are alike; a sequence that is not
    like the others is left out, with a remark.

    Where ``files.sequences`` names the channels of a file, images with another number of channels are refused. Else
    names of files say which sequence they are; else three channels are taken for pre-contrast, FLAIR and
    post-contrast, and a single one is of unknown sequence.

    Parameters
    ----------
    files : StudyFiles
        From :func:`find_studies`.
    """
    if files.slices and reader_of(files.slices[0].image) not in (None, reader_by_name("slice.tif")):
        volumes, remarks = load_volumes(files)
        return Loaded(volumes, (*files.problems, *remarks))
    problems = list(files.problems)
    groups: dict[tuple[object, ...], list[Assembled]] = defaultdict(list)
    for entry in files.slices:
        image = assemble(files, entry, problems)
        if image is not None:
            groups[image.kind].append(image)
    ordered = sorted(groups.values(), key=_slices, reverse=True)
    for group in ordered[1:]:
        problems += [_unlike(image.headers[0], ordered[0][0].headers[0]) for image in group]
    studies = [_read_group(files, group, problems) for group in ordered]
    return Loaded(tuple(study for study in studies if study is not None), tuple(problems))


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


def _unlike(header: TiffHeader, usual: TiffHeader) -> Problem:
    reason = f"is {_describe(header)}, unlike most slices of its study ({_describe(usual)}); read as a study of its own"
    return Problem(header.path, reason, kind=ProblemKind.FORMAT)


def _describe(header: TiffHeader) -> str:
    _, channels, y, x = header.shape
    return f"{y} x {x}, {channels} channel{'s' if channels > 1 else ''}, {header.format.bits} bit"


def _read_group(files: StudyFiles, group: list[Assembled], problems: list[Problem]) -> Study | None:
    """Read images of one kind; bad ones are added to ``problems``."""
    first = group[0]
    total, (height, width) = _slices(group), first.size
    size = total * first.channels * height * width * first.dtype.itemsize
    if size > MAX_STUDY:
        reason = f"{files.name} would take {size >> 20} MiB; at most {MAX_STUDY >> 20} MiB are read as one study"
        problems.append(Problem(files.folder, reason, refused=True, kind=ProblemKind.TOO_LARGE))
        return None
    said = files.sequences if len(first.headers) == 1 or Sequence.UNKNOWN in first.sequences else None
    if said is not None and len(said) != first.channels:
        problems.append(_misnamed(files, first, said))
        return None
    voxels = np.empty((first.channels, total, height, width), first.dtype)
    mask: npt.NDArray[np.uint8] | None = None
    slices: list[SliceFile] = []
    read: list[Assembled] = []
    for image in group:
        here = slice(len(slices), len(slices) + image.depth)
        try:
            image.read_into(voxels[:, here])
        except UnreadableFileError as error:
            problems.append(refused(error))
            continue
        drawn = read_mask(image, files.labels, problems)
        if drawn is not None:
            mask = np.zeros((total, height, width), np.uint8) if mask is None else mask
            mask[here] = drawn
        entry = image.entry if drawn is not None else replace(image.entry, mask=None, more_masks=())
        slices += [replace(entry, page=page) for page in range(image.depth)]
        read.append(image)
    if not slices:
        return None
    if len(slices) < total:
        voxels = np.ascontiguousarray(voxels[:, : len(slices)])
        mask = None if mask is None else np.ascontiguousarray(mask[: len(slices)])
    spacing = _spacing(files, read, problems)
    voxels, sequences = _named(files, first, voxels, said, problems)
    geometry = Geometry.spaced(spacing)
    study = Study(files.name, voxels, sequences, mask, geometry, tuple(slices), patient=files.visit_of or "")
    problems += _stand_ins(study, files)
    return study


def _named(
    files: StudyFiles,
    first: Assembled,
    voxels: npt.NDArray[np.uint8 | np.uint16],
    said: tuple[Sequence, ...] | None,
    problems: list[Problem],
) -> tuple[npt.NDArray[np.uint8 | np.uint16], tuple[Sequence, ...]]:
    """Which sequence each channel is; a single sequence that was saved in colours becomes one channel."""
    by_name = first.sequences
    if said is not None:
        if by_name and len(by_name) == len(said) and Sequence.UNKNOWN not in by_name and by_name != said:
            reason = f"is {' and '.join(by_name)} by its name, and taken for {' and '.join(said)} as you said"
            problems.append(Problem(first.entry.image, reason, kind=ProblemKind.SEQUENCE))
        return voxels, said
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


def _misnamed(files: StudyFiles, image: Assembled, said: Seq[Sequence]) -> Problem:
    where = files.folder if len(files.slices) > 1 else files.slices[0].image
    channels = image.channels
    reason = (
        f"has {channels} channel{'s' * (channels != 1)}, and {len(said)} {'are' if len(said) > 1 else 'is'} named "
        f"({', '.join(said)})"
    )
    return Problem(where, reason, refused=True, kind=ProblemKind.SEQUENCE)


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
            if header.spacing is not None:
                stated.setdefault(header.spacing, header.path)
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
