"""Volumes that say how they lie, and their masks, as studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError
from metseg.study.discovery import StudyFiles
from metseg.study.formats import Header, find_images, header_of, read_voxels, refused
from metseg.study.geometry import reorder
from metseg.study.intensities import unsigned
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, Study

#: More distinct values than this are a picture, not a mask.
MAX_MASK_VALUES = 32


def load_volumes(files: StudyFiles) -> tuple[tuple[Study, ...], list[Problem]]:
    """Read a study's volumes, each of which is a study; and what is wrong with them.

    Parameters
    ----------
    files : StudyFiles
        Of files that hold volumes, or are the slices of one.
    """
    found = find_images([entry.image for entry in files.slices], files.channels)
    problems = list(found.problems)
    studies: list[Study] = []
    for header in found.images:
        try:
            studies.append(_study(files, header, problems))
        except UnreadableFileError as error:
            problems.append(refused(error))
        except DataError as error:
            problems.append(Problem(header.path, str(error), refused=True, kind=ProblemKind.UNREADABLE))
    return tuple(studies), problems


def _study(files: StudyFiles, header: Header, problems: list[Problem]) -> Study:
    named = files.sequences or header.sequences or (Sequence.UNKNOWN,) * header.shape[0]
    if len(named) != header.shape[0]:
        channels = header.shape[0]
        reason = f"has {channels} channel{'s' * (channels != 1)}, and {len(named)} are named ({', '.join(named)})"
        problems.append(Problem(header.path, reason, refused=True, kind=ProblemKind.SEQUENCE))
        named = (Sequence.UNKNOWN,) * channels
    problems += header.problems
    voxels, remarks = unsigned(read_voxels(header))
    problems += [Problem(header.path, text, kind=ProblemKind.FORMAT) for text in remarks]
    masks = {entry.image: entry.mask for entry in files.slices}
    path = masks.get(header.path)
    mask = None if path is None else _mask(path, header, problems)
    trusted = path if mask is not None else None
    slices = tuple(SliceFile(header.files[file], trusted, page) for file, page in header.pages)
    return Study(files.name, voxels, named, mask, header.geometry, slices, header.stored)


def _mask(path: Path, image: Header, problems: list[Problem]) -> npt.NDArray[np.uint8] | None:
    """The mask at ``path`` on the grid of ``image``, 0 and 1; ``None`` if it cannot be used."""
    try:
        header = header_of(path)
        if header.shape[0] != 1:
            raise UnreadableFileError(path, f"a mask has one channel, this file has {header.shape[0]}")
        values = read_voxels(header)[0]
        if len(np.unique(values)) > MAX_MASK_VALUES:
            raise UnreadableFileError(path, f"not a mask: it has {len(np.unique(values))} distinct values")
        inside = (values > 0).astype(np.uint8)
        shape = (image.shape[1], image.shape[2], image.shape[3])
        both = header.geometry.is_placed and image.geometry.is_placed
        if not both and inside.shape != shape:
            raise DataError("the two images have not the same voxels")
        return np.ascontiguousarray(reorder(inside, header.geometry, image.geometry, shape)) if both else inside
    except UnreadableFileError as error:
        problems.append(refused(error, ProblemKind.MASK))
    except DataError:
        reason = f"the mask does not lie on the voxels of its image {image.path.name}; the image is read without a mask"
        problems.append(Problem(path, reason, refused=True, kind=ProblemKind.MASK))
    return None
