"""On which side of the head a lesion is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

#: Voxels at least this share as bright as the brightest are head, not air.
_HEAD = 0.1
#: Nearer than this to the middle of the head, mm, a lesion is on neither side: heads are tilted.
_NEAR_MM = 10.0
_STEP = 4


class Side(StrEnum):
    """Of the patient."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


@dataclass(frozen=True, slots=True)
class Midline:
    """The sagittal plane through the middle of a head.

    Attributes
    ----------
    axis : int
        Of (z, y, x), the one that runs from side to side.
    centre : float
        Voxel along it.
    step : float
        Length of a voxel along it, mm; negative if it runs to the right.
    """

    axis: int
    centre: float
    step: float

    def side_of(self, centroid: tuple[float, float, float]) -> Side:
        """The side that a voxel (z, y, x) is on; :attr:`Side.MIDLINE` within 10 mm of the middle."""
        to_left = (centroid[self.axis] - self.centre) * self.step
        if abs(to_left) < _NEAR_MM:
            return Side.MIDLINE
        return Side.LEFT if to_left > 0 else Side.RIGHT


def find_midline(
    image: npt.NDArray[Any], orientation: str | None, spacing: tuple[float, float, float] | None
) -> Midline | None:
    """Find the middle of a head: the median, from side to side, of what is brighter than air.

    Parameters
    ----------
    image : ndarray of any real type, shape (z, y, x)
        One sequence.
    orientation : str or None
        Sides of the patient that x, y and z run to, such as ``LPS``; ``None`` where that is not known.
    spacing : tuple of float, or None
        Voxel size along (z, y, x), mm.

    Returns
    -------
    Midline or None
        ``None`` unless orientation and spacing are known and there is a head.
    """
    if orientation is None or spacing is None:
        return None
    axis, letter = next((2 - place, letter) for place, letter in enumerate(orientation) if letter in "LR")
    coarse = image[tuple(slice(None) if one == axis else slice(None, None, _STEP) for one in range(3))]
    low, high = np.percentile(coarse, [1, 99])
    head = np.moveaxis(coarse > low + _HEAD * (high - low), axis, 0)
    counts = np.cumsum(np.count_nonzero(head, axis=(1, 2)))
    if not counts[-1]:
        return None
    centre = float(np.interp(counts[-1] / 2, counts, np.arange(len(counts)) + 0.5))
    return Midline(axis, centre, spacing[axis] * (1 if letter == "L" else -1))
