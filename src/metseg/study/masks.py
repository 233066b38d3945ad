"""Which pixels of mask files are lesion, however a program wrote them.

A mask may be binary with any two numbers, hold labels, be grey at its edges (JPEG, resizing), be RGB or come from a
palette, and be of any type. What is neither of these is a picture, and refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.errors import UnreadableFileError
from metseg.study.model import Problem, ProblemKind

Mask = npt.NDArray[np.uint8]

#: More distinct values than this are a picture, unless they are labels of solid pieces or grey edges.
MAX_MASK_VALUES: Final = 32
#: What programs write for lesion where a mask is a picture of black and white.
_WHITES: Final = (255, 65535)

#: Share of neighbouring labelled pixels that have the same label in a file of labels.
_SOLID = 0.8
#: Shares of the range: less than these apart from black or white is nearly the same, or the same.
_NEAR, _SAME = 0.1, 0.01
#: Pixels between black and white lie so near to an edge; those that are nearly black, as around edges in a JPEG, so.
_EDGE, _RINGING = 3, 8
#: Share of all pixels that may lie between black and white, and share of these that may lie away from edges.
_MOSTLY_BETWEEN = 0.35
_ELSEWHERE = 0.1
#: No lesion takes a larger share of its slice.
NEARLY_ALL: Final = 0.5


class _Kind(Enum):
    BINARY = "two values or one"
    LABELS = "labels"
    GREY = "two values with grey edges"


@dataclass(frozen=True, eq=False, slots=True)
class MaskPages:
    """A mask file, read.

    Attributes
    ----------
    values : ndarray, shape (z, y, x)
        One number for each pixel, with white as the largest where the file is grey.
    bits : int
        Of a stored pixel.
    white_is_zero : bool
        Stored white is 0, and was turned round.
    remarks : tuple of str
        What must be said of how it is read.
    """

    path: Path
    values: npt.NDArray[Any]
    bits: int
    white_is_zero: bool = False
    remarks: tuple[str, ...] = ()


def lesions(pages: Sequence[MaskPages], labels: Sequence[int] | None = None) -> tuple[list[Mask | None], list[Problem]]:
    """Tell lesion from background on all masks of one study.

    Parameters
    ----------
    pages : sequence of MaskPages
        In the order of the study's slices.
    labels : sequence of int, optional
        The numbers that are lesion, where that is known.

    Returns
    -------
    masks : list of ndarray of uint8, shape (z, y, x), or None
        1 inside lesions; ``None`` for a picture.
    problems : list of Problem
        Pictures, which are refused, and remarks on masks that are probably not meant as they are read.
    """
    masks: list[Mask | None] = []
    problems: list[Problem] = []
    if labels is not None:
        masks += [np.isin(page.values, labels).view(np.uint8) for page in pages]
    else:
        pages, problems = _as_bits_were_meant(pages)
        masks += _lesion_masks(pages, problems)
    full = [page for page, mask in zip(pages, masks, strict=True) if mask is not None and mask.mean() > NEARLY_ALL]
    if full:
        problems.append(_remark(full, _inverted(full[0])))
    for text in dict.fromkeys(remark for page in pages for remark in page.remarks):
        problems.append(_remark([page for page in pages if text in page.remarks], text))
    return masks, problems


def _lesion_masks(pages: Sequence[MaskPages], problems: list[Problem]) -> list[Mask | None]:
    """Lesion on each mask, by its numbers; what must be said is added to ``problems``."""
    kinds = [_kind(page.values) for page in pages]
    read = [(page, kind) for page, kind in zip(pages, kinds, strict=True) if kind is not None]
    background = _background([page for page, kind in read if kind is not _Kind.GREY])
    if background:
        reason = (
            f"has no 0: {background:g}, its commonest number, was taken for the background; save masks with 0 for "
            "background and another number for lesion"
        )
        problems.append(_remark([page for page, _ in read], reason))
    highest = max((page.values.max() for page, kind in read if kind is not _Kind.LABELS), default=0)
    masks: list[Mask | None] = []
    for page, kind in zip(pages, kinds, strict=True):
        if kind is None:
            reason = f"not a mask: it has {len(np.unique(page.values))} distinct values"
            problems.append(Problem(page.path, reason, refused=True, kind=ProblemKind.MASK))
            masks.append(None)
        elif kind is _Kind.GREY:
            masks.append((page.values > (float(page.values.min()) + float(highest)) / 2).view(np.uint8))
        else:
            masks.append((page.values != background).view(np.uint8))
    grey = [page for page, kind in read if kind is _Kind.GREY]
    if grey:
        problems.append(_remark(grey, "is grey at its edges (JPEG, or resized): pixels above the middle are lesion"))
    return masks


def labels_of(page: MaskPages) -> tuple[npt.NDArray[Any], list[Problem]]:
    """Tell labels from background on one mask: 0 is background, 1 lesion; whole numbers stay where it holds labels.

    Returns
    -------
    labels : ndarray of integers, shape (z, y, x)
    problems : list of Problem
        Remarks as of :func:`lesions`.

    Raises
    ------
    UnreadableFileError
        If it is a picture.
    """
    [mask], problems = lesions([page])
    if mask is None:
        raise UnreadableFileError(page.path, problems[0].reason)
    values = page.values
    if values.dtype.kind == "f" and _small_and_whole(values):
        values = values.astype(np.int16)
    largest = values.max()
    numbered = largest <= MAX_MASK_VALUES or (largest not in _WHITES and np.unique(values).size == 2)
    if (numbered or _kind(values) is _Kind.LABELS) and values.dtype.kind in "ui" and values.min() >= 0:
        return np.where(mask, values, values.dtype.type(0)), problems
    return mask, problems


def is_mask(values: npt.NDArray[Any]) -> bool:
    """Whether ``values``, (z, y, x), are a mask or labels, and no picture."""
    return _kind(values) is not None


def _small_and_whole(distinct: npt.NDArray[Any]) -> bool:
    return bool((np.abs(distinct) <= MAX_MASK_VALUES).all() and (distinct == np.rint(distinct)).all())


def _remark(pages: Sequence[MaskPages], reason: str) -> Problem:
    """One remark for all of them, at the first."""
    others = len(pages) - 1
    more = f" (as {others} other mask{'s' if others > 1 else ''} of the study)" if others else ""
    return Problem(pages[0].path, reason + more, kind=ProblemKind.MASK)


def _inverted(page: MaskPages) -> str:
    fix = (
        "in Fiji choose Image > Lookup Tables > Invert LUT and save it again"
        if page.white_is_zero
        else "invert it (Fiji: Edit > Invert; Python: mask.max() - mask)"
    )
    return f"nearly everything is lesion: lesion and background are probably exchanged; {fix}"


def _as_bits_were_meant(pages: Sequence[MaskPages]) -> tuple[list[MaskPages], list[Problem]]:
    """Masks whose white is stored as zero: of bits the rarer one is lesion, as tifffile writes truth values."""
    turned = [page for page in pages if page.white_is_zero]
    bits = [page for page in turned if page.bits == 1]
    if bits and float(np.mean([page.values.mean() for page in bits])) > NEARLY_ALL:
        reason = (
            "one bit a pixel, white stored as zero: ones were taken for lesion, as tifffile writes truth values; by "
            "the TIFF standard nearly everything would be lesion"
        )
        kept = [replace(page, values=1 - page.values, white_is_zero=False) if page in bits else page for page in pages]
        return kept, [_remark(bits, reason)]
    if not turned:
        return list(pages), []
    reason = (
        "white is stored as zero: stored zeros were taken for lesion, as the TIFF standard says; if lesion and "
        "background are exchanged it has Fiji's inverted lookup table: Image > Lookup Tables > Invert LUT, save again"
    )
    return list(pages), [_remark(turned, reason)]


def _background(pages: list[MaskPages]) -> float:
    """0, or the commonest number if there is no 0 in any mask of the study, and more than one number."""
    values, counts = [], []
    for page in pages:
        found = np.unique(page.values, return_counts=True)
        values.append(found[0].astype(np.float64))
        counts.append(found[1])
    if not values:
        return 0
    numbers, place = np.unique(np.concatenate(values), return_inverse=True)
    if len(numbers) < 2 or 0 in numbers:
        return 0
    return float(numbers[np.bincount(place, weights=np.concatenate(counts)).argmax()])


def _kind(values: npt.NDArray[Any]) -> _Kind | None:
    """What sort of mask ``values``, (z, y, x), are; ``None`` for a picture."""
    distinct = np.unique(values)
    if len(distinct) <= 2:
        return _Kind.BINARY
    if not _small_and_whole(distinct) and _grey_at_edges(values, float(distinct[0]), float(distinct[-1])):
        return _Kind.GREY
    return _Kind.LABELS if len(distinct) <= MAX_MASK_VALUES or _solid(values) else None


def _grey_at_edges(values: npt.NDArray[Any], low: float, high: float) -> bool:
    """Whether all is black or white but for pixels near the edges between them."""
    level = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    bright = (level > 0.5).view(np.uint8)
    black, white = np.median(level[bright == 0]), np.median(level[bright > 0])
    between = (np.abs(level - black) > _NEAR) & (np.abs(level - white) > _NEAR)
    if between.mean() > _MOSTLY_BETWEEN:
        return False
    edges = (_grown(bright, _EDGE) > 0) & ~(_shrunk(bright, _EDGE) > 0)
    if np.count_nonzero(between & ~edges) > _ELSEWHERE * np.count_nonzero(between):
        return False
    nearly_black = (np.abs(level - black) > _SAME) & (level <= black + _NEAR)
    away = np.count_nonzero(nearly_black & (_grown(bright, _RINGING) == 0))
    return bool(away <= _ELSEWHERE * np.count_nonzero(nearly_black))


def _grown(mask: Mask, by: int) -> Mask:
    return np.asarray(ndimage.maximum_filter(mask, (1, 2 * by + 1, 2 * by + 1), mode="nearest"))


def _shrunk(mask: Mask, by: int) -> Mask:
    return np.asarray(ndimage.minimum_filter(mask, (1, 2 * by + 1, 2 * by + 1), mode="nearest"))


def _solid(values: npt.NDArray[Any]) -> bool:
    """Whether pieces of one label, on a background that is the commonest number, make up the file."""
    numbers, counts = np.unique(values, return_counts=True)
    if (numbers != np.rint(numbers)).any():
        return False
    here, there = values[..., :-1], values[..., 1:]
    background = numbers[counts.argmax()]
    labelled = (here != background) & (there != background)
    return bool(labelled.any() and np.count_nonzero((here == there) & labelled) >= _SOLID * np.count_nonzero(labelled))
