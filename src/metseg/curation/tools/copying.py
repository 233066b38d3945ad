"""Copies a lesion's outline from one slice to another."""

from __future__ import annotations

import numpy as np

from metseg.curation.tools.change import Change, Labels, ToolError, change


def copy_slice(labels: Labels, label: int, source: int, target: int) -> Change:
    """Draws a lesion in one slice as it is in another.

    What the lesion had in the target slice is replaced; other lesions there stay as they are.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        0 outside, else the lesion's label.
    source, target : int
        Indices of the slices.

    Raises
    ------
    ToolError
        If the lesion is not in the source slice, or there is no such target.
    """
    if not 0 <= target < len(labels):
        raise ToolError("there is no further slice")
    if label < 1 or not (labels[source] == label).any():
        raise ToolError(f"lesion {label} is not in this slice")
    shape, there = labels[source] == label, labels[target]
    own = (there == 0) | (there == label)
    after = np.where(own, np.where(shape, labels.dtype.type(label), labels.dtype.type(0)), there)
    return change(labels, (slice(target, target + 1), slice(0, there.shape[0]), slice(0, there.shape[1])), after[None])
