"""Grow and shrink a lesion: along its probability contour, or by whole pixels in one slice or in all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from metseg.curation.tools.change import Box, LabelEdit, Labels, ToolError, change, lesion_box, nothing, widened

#: One click never goes further than this many pixels from the lesion's old edge.
REACH = 8

#: Slices that one click may go up and down where the spacing is not known.
_SLICES = 2

#: Two pixels belong together if they share a side; lesions stay apart by a corner, too.
_SIDES = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_CORNERS = np.ones((3, 3), np.uint8)

Probabilities = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
_Levels = npt.NDArray[np.uint8]
_Mask = npt.NDArray[np.bool_]
_Value = TypeVar("_Value", np.uint8, np.bool_)


def grow(
    labels: Labels,
    probabilities: Probabilities,
    label: int,
    *,
    step: float = 0.15,
    spacing: tuple[float, float, float] | None = None,
) -> LabelEdit:
    """Let a lesion take in the next contour of the probability around it.

    The contour is the highest one that adds at least ``step`` of the lesion's voxels; where there is none within
    :data:`REACH` pixels, the lowest one above zero. What is added hangs together with the lesion, and keeps one voxel
    away from every other lesion. Where the network saw nothing there is no contour, and nothing changes.

    Parameters
    ----------
    probabilities : ndarray of float32 (0 to 1) or uint8 (0 to 255), shape (z, y, x)
        What the network gave.
    step : float
        Share of its voxels to add at least; more gives a superset.
    spacing : tuple of float, optional
        Voxel size along (z, y, x), so that :data:`REACH` means as far across slices as within one.


    Notes
    -----
    Every voxel's level is the best, over the paths from the lesion, of the least probability on the path: a
    reconstruction by dilation (Vincent 1993), stopped after :data:`REACH` steps.
    """
    climbs = _climbs(spacing)
    # One voxel more than the flood goes, to see the lesions that it must keep away from.
    box = widened(lesion_box(labels, label), (len(climbs) + 1, REACH + 1, REACH + 1), labels.shape)
    part = labels[box]
    lesion = part == label
    free = ~_spread((part > 0) & ~lesion, upwards=True) & (part == 0)
    levels = np.where(free, quantised(probabilities[box]), 0).astype(np.uint8)
    reached = _flooded(np.where(lesion, np.uint8(255), np.uint8(0)), np.where(lesion, np.uint8(255), levels), climbs)
    level = _next_level(reached[free], step * np.count_nonzero(lesion))
    if level is None:
        return nothing(labels)
    return change(labels, box, np.where(free & (reached >= level), labels.dtype.type(label), part))


def shrink(labels: Labels, probabilities: Probabilities, label: int, *, step: float = 0.15) -> LabelEdit:
    """Let a lesion fall back to the next contour of the probability within it.

    The contour is the lowest one that removes at least ``step`` of the lesion's voxels, from its edge in each slice
    inwards and never further than :data:`REACH` pixels. What remains has voxels within the contour; where it would
    not, as in a lesion that the network did not see, nothing changes.

    Parameters
    ----------
    labels, probabilities, label
        As for :func:`grow`.
    step : float
        Share of its voxels to remove at least.
    """
    box = widened(lesion_box(labels, label), (0, 1, 1), labels.shape)
    part = labels[box]
    lesion = part == label
    absence = 255 - quantised(probabilities[box])
    reached = _flooded(np.where(lesion, np.uint8(0), np.uint8(255)), np.where(lesion, absence, np.uint8(255)), set())
    level = _next_level(reached[lesion], step * np.count_nonzero(lesion))
    if level is None or (absence[lesion] >= level).all():
        return nothing(labels)
    return change(labels, box, np.where(lesion & (reached >= level), labels.dtype.type(0), part))


def quantised(probabilities: Probabilities) -> _Levels:
    """Probabilities as uint8, 0 to 255."""
    if probabilities.dtype == np.uint8:
        return np.asarray(probabilities, np.uint8)
    return np.asarray(np.clip(np.rint(probabilities * np.float32(255)), 0, 255), np.uint8)


def _climbs(spacing: tuple[float, float, float] | None) -> set[int]:
    """In which of the steps the flood may also go to the next slices."""
    slices = _SLICES if spacing is None else math.floor(REACH * min(spacing[1:]) / spacing[0])
    slices = min(max(slices, 1), REACH)
    return {(2 * i + 1) * REACH // (2 * slices) for i in range(slices)}


def _flooded(sources: _Levels, limit: _Levels, climbs: set[int]) -> _Levels:
    flood = sources
    for i in range(REACH):
        flood = np.minimum(_spread(flood, upwards=i in climbs), limit)
    return flood


def _spread(values: npt.NDArray[_Value], *, upwards: bool) -> npt.NDArray[_Value]:
    """Maximum over each voxel's 3 × 3 neighbourhood, or its 3 × 3 × 3 one."""
    for axis in (0, 1, 2) if upwards else (1, 2):
        here = np.moveaxis(values, axis, 0)
        widest = values.copy()
        there = np.moveaxis(widest, axis, 0)
        np.maximum(there[1:], here[:-1], out=there[1:])
        np.maximum(there[:-1], here[1:], out=there[:-1])
        values = widest
    return values


def _next_level(levels: _Levels, wanted: float) -> int | None:
    """Highest level, but not 0, at or above which there are ``wanted`` voxels; else the lowest there is."""
    above = np.cumsum(np.bincount(levels, minlength=256)[:0:-1])
    if above[-1] == 0:
        return None
    return 255 - int(min(np.searchsorted(above, max(wanted, 1)), np.searchsorted(above, above[-1])))


def dilate(labels: Labels, label: int, *, z: int | None = None) -> LabelEdit:
    """Adds one pixel all around a lesion, within its slices.

    Pixels of other lesions, and those that touch one, stay as they are.

    Parameters
    ----------
    z : int, optional
        Index of the only slice to change; all slices that the lesion is in by default.
    """
    box = widened(_box_in(labels, label, z), (0, 2, 2), labels.shape)
    part = labels[box]
    lesion = part == label
    others = _in_each_slice(cv2.dilate, (part > 0) & ~lesion, _CORNERS)
    grown = _in_each_slice(cv2.dilate, lesion, _SIDES) & (part == 0) & ~others
    return change(labels, box, np.where(grown, labels.dtype.type(label), part))


def erode(labels: Labels, label: int, *, z: int | None = None) -> LabelEdit:
    """Takes one pixel all around a lesion away, within its slices.

    Nothing changes where nothing of the lesion would remain in any slice.

    Parameters
    ----------
    z : int, optional
        Index of the only slice to change; all slices that the lesion is in by default.
    """
    box = _box_in(labels, label, z)
    part = labels[box]
    lesion = part == label
    inner = _in_each_slice(cv2.erode, np.pad(lesion, ((0, 0), (1, 1), (1, 1))), _SIDES)[:, 1:-1, 1:-1]
    if np.count_nonzero(labels == label) == np.count_nonzero(lesion & ~inner):
        return nothing(labels)
    return change(labels, box, np.where(lesion & ~inner, labels.dtype.type(0), part))


def _box_in(labels: Labels, label: int, z: int | None) -> Box:
    """The smallest box that holds the lesion, or what it has in slice ``z``."""
    planes, rows, columns = lesion_box(labels, label)
    if z is None:
        return planes, rows, columns
    if not (labels[z] == label).any():
        raise ToolError(f"lesion {label} is not in this slice")
    return slice(z, z + 1), rows, columns


def _in_each_slice(operation: Callable[..., npt.NDArray[Any]], mask: _Mask, kernel: npt.NDArray[np.uint8]) -> _Mask:
    """Apply one of OpenCV's morphological operations to each slice of ``mask``, shape (z, y, x)."""
    done = [operation(plane.astype(np.uint8), kernel) > 0 for plane in mask]
    return np.stack(done)
