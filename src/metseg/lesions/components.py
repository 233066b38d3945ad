"""Lesions as connected components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_TOUCHING = np.ones((3, 3, 3), bool)


def label_lesions(mask: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """Number the lesions of a mask.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        0 outside; 1, 2, … for each 26-connected component, in the order of their first voxel.
    """
    labels, _ = ndimage.label(mask, structure=_TOUCHING, output=np.int32)
    return np.asarray(labels, np.int32)


def largest_lesion_centre(mask: npt.NDArray[np.generic]) -> tuple[float, float, float] | None:
    """Find the largest lesion of a mask, and in it the slice where it is largest.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Returns
    -------
    (z, y, x) or None
        That slice, and the middle of the lesion in it, in voxels; ``None`` if there is no lesion.
    """
    labels = label_lesions(mask)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 2:
        return None
    inside = labels == 1 + int(np.argmax(sizes[1:]))
    z = int(np.argmax(np.count_nonzero(inside, axis=(1, 2))))
    y, x = ndimage.center_of_mass(inside[z])
    return float(z), float(y), float(x)
