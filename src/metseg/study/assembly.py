"""The files of one slice or stack: a file for all channels, or one each, and the masks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.discovery import StudyFiles
from metseg.study.formats import refused
from metseg.study.masks import MaskPages, mask_header, read_mask_pages
from metseg.study.model import REFERENCE_ORDER, Problem, ProblemKind, Sequence, SliceFile
from metseg.study.preflight import TiffHeader, preflight
from metseg.study.stored_values import show_palette
from metseg.study.tiff import read_into

#: Slices, rows, columns.
_Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Assembled:
    """The files of one slice or stack, whose headers have been looked at and fit together.

    Attributes
    ----------
    entry : SliceFile
        Its files; those that are not used are gone.
    headers : tuple of TiffHeader
        Of each image file.
    sequences : tuple of Sequence
        Which sequence each file is by its name; empty if the names do not say.
    """

    entry: SliceFile
    headers: tuple[TiffHeader, ...]
    sequences: tuple[Sequence, ...]

    @property
    def depth(self) -> int:
        """Number of slices."""
        return self.headers[0].shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Of a slice, (y, x)."""
        return self.headers[0].shape[2:]

    @property
    def channels(self) -> int:
        """Of all files together."""
        return sum(header.shape[1] for header in self.headers)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds the voxels of all files."""
        return np.result_type(*(header.dtype for header in self.headers))

    @property
    def kind(self) -> tuple[object, ...]:
        """The same for slices that can be put into one array."""
        return (self.sequences, *((header.shape[1:], header.dtype) for header in self.headers))

    def read_into(self, out: npt.NDArray[Any]) -> None:
        """Read the voxels into ``out`` (c, z, y, x).

        Raises
        ------
        UnreadableFileError
            If a file is damaged.
        """
        first = 0
        for header in self.headers:
            part = out[first : first + header.shape[1]]
            if header.dtype == out.dtype:
                read_into(header, part.swapaxes(0, 1))
                show_palette(header, part)
            else:
                own = np.empty(header.shape, header.dtype)
                read_into(header, own)
                show_palette(header, own)
                part[...] = own.swapaxes(0, 1)
            first += header.shape[1]


def assemble(files: StudyFiles, entry: SliceFile, problems: list[Problem]) -> Assembled | None:
    """Look at the headers of one slice or stack; what cannot be used is added to ``problems``.

    Returns
    -------
    Assembled, or None
        ``None`` if none of its files can be read, or one of the files of a single slice.
    """
    named = files.named or ()
    headers: dict[int, TiffHeader] = {}
    for index, path in enumerate(entry.images):
        try:
            header = _image_header(path, entry.mask, 1 if entry.others else files.channels)
            if entry.others and header.shape[1] != 1:
                raise UnreadableFileError(
                    path, f"has {header.shape[1]} channels, where each sequence has a file of its own"
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
    entry: SliceFile, headers: dict[int, TiffHeader], named: tuple[Sequence, ...], problems: list[Problem]
) -> list[int]:
    """Files whose slices are alike: those that the mask fits, else most; a remark is made of the others."""
    grids = {index: (header.shape[0], *header.shape[2:]) for index, header in headers.items()}
    if len(set(grids.values())) == 1:
        return list(grids)
    counts = Counter(grids.values())
    preferred = [grids[index] for wanted in REFERENCE_ORDER for index in grids if named and named[index] is wanted]
    best = max(counts, key=lambda grid: (grid == _mask_grid(entry), counts[grid], -_rank(preferred, grid)))
    kept = [index for index, grid in grids.items() if grid == best]
    for index in grids:
        if index not in kept:
            first = headers[kept[0]]
            reason = (
                f"is {_size(headers[index])}, but {first.path.name} is {_size(first)}: the sequence was left out; "
                "resample it to the others"
            )
            problems.append(Problem(headers[index].path, reason, kind=ProblemKind.SEQUENCE))
    return kept


def _rank(preferred: list[_Grid], grid: _Grid) -> int:
    return preferred.index(grid) if grid in preferred else len(preferred)


def _mask_grid(entry: SliceFile) -> _Grid | None:
    if entry.mask is None:
        return None
    try:
        shape = mask_header(entry.mask).shape
    except UnreadableFileError:
        return None
    return (shape[0], *shape[2:])


def read_masks(image: Assembled, problems: list[Problem]) -> tuple[MaskPages, ...] | None:
    """The masks of ``image``; ``None`` if there is none, or one that cannot be read or is of another size."""
    header = image.headers[0]
    slices, _, *size = header.shape
    read: list[MaskPages] = []
    for path in image.entry.masks:
        try:
            stored = mask_header(path, slices)
            if [stored.shape[0], *stored.shape[2:]] != [slices, *size]:
                reason = f"the mask is {_size(stored)} but its image {header.path.name} is {_size(header)}; "
                raise UnreadableFileError(path, reason + "the image is read without a mask")
            read.append(read_mask_pages(stored))
        except UnreadableFileError as error:
            problems.append(refused(error, ProblemKind.MASK))
            return None
    return tuple(read) or None


def _image_header(path: Path, mask: Path | None, channels: int | None) -> TiffHeader:
    """The header of an image; colour planes are slices if its mask has as many."""
    header = preflight(path, channels)
    if header.planes != "channels" or channels is not None or mask is None:
        return header
    try:
        drawn = preflight(mask)
        if drawn.planes is not None:
            pixels = np.empty(drawn.shape, drawn.dtype)
            read_into(drawn, pixels)
            as_slices = drawn.planes == "slices" or bool((pixels != pixels[:, :1]).any())
        else:
            as_slices = drawn.shape[0] > 1
    except UnreadableFileError:  # reported where masks are read
        return header
    return preflight(path, 1) if as_slices else header


def _size(header: TiffHeader) -> str:
    slices, _, y, x = header.shape
    return f"{y} x {x}" if slices == 1 else f"{slices} slices of {y} x {x}"
