"""Which lesion a stroke belongs to."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from metseg.curation.tools import Stroke

#: Slices that may be left out between two in which a lesion is drawn.
REACH = 6


def lesion_under(labels: npt.NDArray[np.uint16], stroke: Stroke, selected: int = 0) -> int:
    """The lesion that a stroke was drawn over.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        0 outside, else the lesion's number.
    stroke : Stroke
        Where the brush went.
    selected : int
        The lesion that is meant if the stroke touches it, however little.

    Returns
    -------
    int
        Its number: the one with most pixels under the stroke; if there is none, the one with most pixels above and
        below it in the next slices; if there is none either, the selected one if it lies above or below within
        :data:`REACH` slices, which were left out to be interpolated; else 0.
    """
    for away in range(REACH + 1):
        touched = sum((_touched(labels, stroke, step) for step in {-away, away}), Counter[int]())
        if selected in touched:
            return selected
        if touched and away <= 1:
            return touched.most_common(1)[0][0]
    return 0


def _touched(labels: npt.NDArray[np.uint16], stroke: Stroke, step: int) -> Counter[int]:
    """Pixels of each lesion under the stroke, or ``step`` slices further."""
    found: Counter[int] = Counter()
    height, width = labels.shape[1:]
    for z in stroke.slices():
        if not 0 <= z + step < len(labels):
            continue
        y0, y1, x0, x1 = stroke.reach(z, stroke.radius)
        window = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
        if any(side.start >= side.stop for side in window):
            continue
        under = labels[z + step][window][stroke.distance(z, window) <= stroke.radius]
        found.update(under[under > 0].tolist())
    return found
