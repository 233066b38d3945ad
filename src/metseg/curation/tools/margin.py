"""Move a lesion's edge by whole pixels, in one slice or in all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.curation.tools.change import Box, Change, Labels, ToolError, change, lesion_box, nothing, widened

_Mask = npt.NDArray[np.bool_]

#: Two pixels belong together if they share a side; lesions stay apart by a corner, too.
_SIDES = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_CORNERS = np.ones((3, 3), np.uint8)


def dilate(labels: Labels, label: int, *, z: int | None = None) -> Change:
    """Adds one pixel all around a lesion, within its slices.

    Pixels of other lesions, and those that touch one, stay as they are.

    Parameters
    ----------
    z : int, optional
        Index of the only slice to change; all slices that the lesion is in by default.
    """
    box = widened(_box(labels, label, z), (0, 2, 2), labels.shape)
    part = labels[box]
    lesion = part == label
    others = _in_each_slice(cv2.dilate, (part > 0) & ~lesion, _CORNERS)
    grown = _in_each_slice(cv2.dilate, lesion, _SIDES) & (part == 0) & ~others
    return change(labels, box, np.where(grown, labels.dtype.type(label), part))


def erode(labels: Labels, label: int, *, z: int | None = None) -> Change:
    """Takes one pixel all around a lesion away, within its slices.

    Nothing changes where nothing of the lesion would remain in any slice.

    Parameters
    ----------
    z : int, optional
        Index of the only slice to change; all slices that the lesion is in by default.
    """
    box = _box(labels, label, z)
    part = labels[box]
    lesion = part == label
    inner = _in_each_slice(cv2.erode, np.pad(lesion, ((0, 0), (1, 1), (1, 1))), _SIDES)[:, 1:-1, 1:-1]
    if np.count_nonzero(labels == label) == np.count_nonzero(lesion & ~inner):
        return nothing(labels)
    return change(labels, box, np.where(lesion & ~inner, labels.dtype.type(0), part))


def _box(labels: Labels, label: int, z: int | None) -> Box:
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
