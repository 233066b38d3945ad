"""Restricts a change to voxels of certain intensities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.tools.change import Change, Labels, change


def within_range(labels: Labels, made: Change, image: npt.NDArray[Any], low: float, high: float) -> Change:
    """Leaves out what a change draws on voxels that are darker or brighter than asked for; what it erases stays erased.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        The labels that ``made`` is a change of.
    image : ndarray, shape (z, y, x)
        Intensities.
    low, high : float
        The range, both ends included.
    """
    if not made:
        return made
    seen = image[made.box]
    kept = (made.after == 0) | ((seen >= low) & (seen <= high))
    return change(labels, made.box, np.where(kept, made.after, made.before))
