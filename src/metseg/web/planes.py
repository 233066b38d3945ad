"""Slices of a volume in three planes, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


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

    def locate(self, point: tuple[float, float], shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
        """What a place in the picture means.

        Parameters
        ----------
        point : (float, float)
            Down and across the picture, each from 0 to 1.
        shape : (int, int, int)
            Of the volume, (z, y, x).

        Returns
        -------
        (axis, index), (axis, index)
            The two other axes, and where on them the place is.
        """
        down, across = (axis for axis in range(3) if axis != self.axis)
        part = point[0] if self is Plane.AXIAL else 1 - point[0]
        return (down, _nearest(part, shape[down])), (across, _nearest(point[1], shape[across]))


@dataclass(frozen=True, slots=True)
class Steps:
    """Distances that pictures are drawn with.

    Attributes
    ----------
    steps : (float, float, float)
        Along (z, y, x); mm if ``known``, else in pixels of an axial slice.
    known : bool
        Whether they were measured. Nothing is ever measured with steps that are not known.
    """

    steps: Spacing
    known: bool


def steps_of(spacing: Spacing | None, shape: Shape) -> Steps:
    """The spacing, or, for pictures only, slices apart enough for a head to be about as tall as it is wide."""
    if spacing is not None:
        return Steps(spacing, True)
    depth, rows, columns = shape
    return Steps((max(1.0, round(0.7 * max(rows, columns) / depth, 1)), 1.0, 1.0), False)


def middle(shape: Shape) -> list[int]:
    """The middle of a volume."""
    return [size // 2 for size in shape]


def fullest(mask: npt.NDArray[np.uint8]) -> list[int]:
    """Where most of a mask is, seen along each axis; the middle if it is empty."""
    if not mask.any():
        return middle((mask.shape[0], mask.shape[1], mask.shape[2]))
    others = ((1, 2), (0, 2), (0, 1))
    return [int(mask.sum(axis=axes, dtype=np.int64).argmax()) for axes in others]


def _nearest(part: float, size: int) -> int:
    return min(max(int(part * size), 0), size - 1)
