"""Slices of a volume in three planes, as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.study.geometry import Geometry, Shape, Spacing

#: Air is darker than this part of the brightest voxels; rows with fewer brighter voxels than this part are air.
_AIR, _SPECKS = 0.2, 0.015
#: Slices whose distance is not known are drawn at most as many pixels apart.
_THICKEST = 7.0


class Plane(StrEnum):
    """Directions of slicing."""

    AXIAL = "Axial"
    CORONAL = "Coronal"
    SAGITTAL = "Sagittal"

    @property
    def axis(self) -> int:
        """The axis of (z, y, x) that a slider of this plane moves along."""
        return list(Plane).index(self)

    def cut(self, volume: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
        """Slice ``index`` of a volume (z, y, x); the last axial slice is at the top of the other planes."""
        flat: npt.NDArray[Any] = volume.take(index, axis=self.axis)
        return flat if self is Plane.AXIAL else flat[::-1]

    def pixel(self, steps: Spacing) -> tuple[float, float]:
        """Height and width of a pixel in units of ``steps``, those of (z, y, x)."""
        rest = [step for axis, step in enumerate(steps) if axis != self.axis]
        return rest[0], rest[1]


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a volume that pictures show: first and last index + 1 along (z, y, x)."""

    bounds: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    def crop(self, plane: Plane, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of a slice that is shown, the slice as :meth:`Plane.cut` gives it."""
        (top, bottom), (left, right) = self._sides(plane)
        if plane is not Plane.AXIAL:
            top, bottom = len(flat) - bottom, len(flat) - top
        return flat[top:bottom, left:right]

    def place(self, plane: Plane, at: Sequence[int]) -> tuple[float, float]:
        """Where a voxel is in the picture: down and across it, from 0 to 1."""
        down, across = _others(plane)
        (top, bottom), (left, right) = self._sides(plane)
        part = (at[down] + 0.5 - top) / (bottom - top)
        return part if plane is Plane.AXIAL else 1 - part, (at[across] + 0.5 - left) / (right - left)

    def locate(self, plane: Plane, point: tuple[float, float]) -> dict[int, int]:
        """Axes and indices of a place in the picture, given down and across it, from 0 to 1."""
        down, across = _others(plane)
        vertical, horizontal = self._sides(plane)
        part = point[0] if plane is Plane.AXIAL else 1 - point[0]
        return {down: _nearest(part, *vertical), across: _nearest(point[1], *horizontal)}

    def _sides(self, plane: Plane) -> tuple[tuple[int, int], tuple[int, int]]:
        down, across = _others(plane)
        return self.bounds[down], self.bounds[across]


def head_region(voxels: npt.NDArray[Any], mask: npt.NDArray[np.uint8]) -> Region:
    """All slices, and of rows and columns those that hold the head or a lesion, with a little air.

    Parameters
    ----------
    voxels : ndarray, shape (c, z, y, x)
        Intensities.
    mask : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    """
    brightest = voxels.max(axis=(0, 1))
    held = (brightest > _AIR * np.percentile(brightest, 99)) | mask.any(axis=0)
    sides = [_reach(held.mean(axis=1 - axis) > _SPECKS) for axis in range(2)]
    return Region(((0, mask.shape[0]), sides[0], sides[1]))


def drawn_steps(geometry: Geometry, shape: Shape) -> Spacing:
    """Distances along (z, y, x) that pictures of ``shape`` voxels are drawn with; nothing is measured with them.

    They are the spacing; where it is not known, pixels of an axial slice, and slices apart enough for a head to be
    about as tall as it is wide.
    """
    if geometry.spacing is not None:
        return geometry.spacing
    depth, rows, columns = shape
    return min(max(round(0.7 * max(rows, columns) / depth, 1), 1.0), _THICKEST), 1.0, 1.0


def middle(shape: Shape) -> list[int]:
    """The middle of a volume."""
    return [size // 2 for size in shape]


def fullest(mask: npt.NDArray[np.uint8]) -> list[int]:
    """Where most of a mask is, seen along each axis; the middle if it is empty."""
    if not mask.any():
        return middle((mask.shape[0], mask.shape[1], mask.shape[2]))
    others = ((1, 2), (0, 2), (0, 1))
    return [int(mask.sum(axis=axes, dtype=np.int64).argmax()) for axes in others]


def _others(plane: Plane) -> tuple[int, int]:
    down, across = (axis for axis in range(3) if axis != plane.axis)
    return down, across


def _nearest(part: float, first: int, end: int) -> int:
    return min(max(first + int(part * (end - first)), first), end - 1)


def _reach(held: npt.NDArray[np.bool_]) -> tuple[int, int]:
    reached = np.flatnonzero(held)
    if not len(reached):
        return 0, len(held)
    margin = max(2, len(held) // 40)
    return max(int(reached[0]) - margin, 0), min(int(reached[-1]) + 1 + margin, len(held))
