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
