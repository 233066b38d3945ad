"""The files of one slice or stack: a file for all channels, or one each, and the masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.formats import Header, header_of, is_tiff, read_voxels, refused, tiff_image
from metseg.study.geometry import Shape
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import MaskPages
from metseg.study.model import REFERENCE_ORDER, Problem, ProblemKind, Sequence, SliceFile
from metseg.study.naming import StudyFiles
from metseg.study.preflight import TiffHeader, preflight
from metseg.study.stored_values import show_palette
from metseg.study.tiff import read_into


@dataclass(frozen=True, slots=True)
class Assembled:
    """The files of one slice or stack, whose headers have been looked at and fit together.

    Attributes
    ----------
    entry : SliceFile
        Its files; those that are not used are gone.
    headers : tuple of Header
        Of each image file.
    sequences : tuple of Sequence
        Which sequence each file is by its name; empty if the names do not say.
    """

    entry: SliceFile
    headers: tuple[Header, ...]
    sequences: tuple[Sequence, ...]

    @property
    def depth(self) -> int:
        """Number of slices."""
        return self.headers[0].shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Of a slice, (y, x)."""
        return self.headers[0].shape[2:]

    @property
    def channels(self) -> int:
        """Of all files together."""
        return sum(header.shape[0] for header in self.headers)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds the voxels of all files."""
        return np.result_type(*(header.dtype for header in self.headers))

    @property
    def kind(self) -> tuple[object, ...]:
        """The same for slices that can be put into one array."""
        return (self.sequences, *((header.shape[0], header.shape[2:], header.dtype) for header in self.headers))

    def read_into(self, out: npt.NDArray[Any]) -> None:
        """Read the voxels into ``out`` (c, z, y, x); UnreadableFileError if a file is damaged."""
        first = 0
        for header in self.headers:
            part = out[first : first + header.shape[0]]
            if isinstance(header.details, TiffHeader) and header.dtype == out.dtype:
                read_into(header.details, part.swapaxes(0, 1))
                show_palette(header.details, part)
            else:
                part[...] = read_voxels(header)
            first += header.shape[0]


def assemble(files: StudyFiles, entry: SliceFile, problems: list[Problem]) -> Assembled | None:
    """Look at the headers of one slice or stack; what cannot be used is added to ``problems``.

    Returns
    -------
    Assembled, or None
        ``None`` if none of its files can be read, or one of the files of a single slice.
    """
    named = files.named or ()
    headers: dict[int, Header] = {}
    for index, path in enumerate(entry.images):
        try:
            header = _image_header(path, entry.mask, 1 if entry.others else files.channels)
            if entry.others and header.shape[0] != 1:
                raise UnreadableFileError(
                    path, f"has {header.shape[0]} channels, where each sequence has a file of its own"
                )
        except UnreadableFileError as error:
            problems.append(refused(error))
            continue
        headers[index] = header
    if not headers or (len(headers) < len(entry.images) and len(files.slices) > 1):
        return None
    kept = _of_one_grid(entry, headers, named, problems)
    images = [entry.images[index] for index in kept]
    return Assembled(
        replace(entry, image=images[0], others=tuple(images[1:])),
        tuple(headers[index] for index in kept),
        tuple(named[index] for index in kept) if named else (),
    )


def _of_one_grid(
    entry: SliceFile, headers: dict[int, Header], named: tuple[Sequence, ...], problems: list[Problem]
) -> list[int]:
    """Files whose slices are alike: those that the mask fits, else most; a remark is made of the others."""
    grids = {index: header.shape[1:] for index, header in headers.items()}
    if len(set(grids.values())) == 1:
        return list(grids)
    counts = Counter(grids.values())
    preferred = [grids[index] for wanted in REFERENCE_ORDER for index in grids if named and named[index] is wanted]
    best = max(counts, key=lambda grid: (grid == _mask_grid(entry), counts[grid], -_rank(preferred, grid)))
    kept = [index for index, grid in grids.items() if grid == best]
    for index in grids:
        if index not in kept:
            first = headers[kept[0]]
            sizes = described_size(headers[index].shape[1:]), described_size(first.shape[1:])
            reason = (
                f"is {sizes[0]}, but {first.path.name} is {sizes[1]}: the sequence was left out; "
                "resample it to the others"
            )
            problems.append(Problem(headers[index].path, reason, kind=ProblemKind.SEQUENCE))
    return kept


def _rank(preferred: list[Shape], grid: Shape) -> int:
    return preferred.index(grid) if grid in preferred else len(preferred)


def _mask_grid(entry: SliceFile) -> Shape | None:
    if entry.mask is None:
        return None
    try:
        return mask_header(entry.mask).shape[1:]
    except UnreadableFileError:
        return None


def read_masks(image: Assembled, problems: list[Problem]) -> tuple[MaskPages, ...] | None:
    """The masks of ``image``; ``None`` if there is none, or one that cannot be read or is of another size."""
    header = image.headers[0]
    read: list[MaskPages] = []
    for path in image.entry.masks:
        try:
            stored = mask_header(path, header.shape[1])
            if stored.shape[1:] != header.shape[1:]:
                sizes = described_size(stored.shape[1:]), described_size(header.shape[1:])
                reason = f"the mask is {sizes[0]} but its image {header.path.name} is {sizes[1]}; "
                raise UnreadableFileError(path, reason + "the image is read without a mask")
            read.append(read_mask(stored))
        except UnreadableFileError as error:
            problems.append(refused(error, ProblemKind.MASK))
            return None
    return tuple(read) or None


def _image_header(path: Path, mask: Path | None, channels: int | None) -> Header:
    """The header of an image; colour planes are slices if its mask has as many."""
    if not is_tiff(path):
        return header_of(path, channels)
    header = preflight(path, channels)
    as_slices = header.planes == "channels" and channels is None and mask is not None and _has_slices(mask)
    return tiff_image(preflight(path, 1) if as_slices else header)


def _has_slices(mask: Path) -> bool:
    """Whether a mask has several slices; ``False`` if it cannot be read, which is reported where masks are read."""
    try:
        header = mask_header(mask)
        tiff = header.details
        if not isinstance(tiff, TiffHeader) or tiff.planes is None:
            return header.shape[1] > 1
        pixels = read_voxels(header)
        return tiff.planes == "slices" or bool((pixels != pixels[:1]).any())
    except UnreadableFileError:
        return False


def described_size(shape: Shape) -> str:
    """Size of slices (z, y, x) in words."""
    slices, y, x = shape
    return f"{y} x {x}" if slices == 1 else f"{slices} slices of {y} x {x}"


def misnamed(path: Path, channels: int, named: Seq[Sequence]) -> Problem:
    """The problem of an image that has another number of channels than are named."""
    are = "are" if len(named) > 1 else "is"
    reason = f"has {channels} channel{'s' * (channels != 1)}, and {len(named)} {are} named ({', '.join(named)})"
    return Problem(path, reason, refused=True, kind=ProblemKind.SEQUENCE)
