"""Lesion-wise agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.metrics.overlap import as_lesion

#: Reference lesions of fewer voxels are not counted (nor are predictions there held against the network).
SMALLEST_LESION = 2

_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True)
class LesionMatch:
    """Counts of lesions.

    Attributes
    ----------
    reference : int
        True lesions.
    found : int
        Those of them that were found.
    false : int
        Predicted lesions that are none.
    """

    reference: int
    found: int
    false: int

    @property
    def sensitivity(self) -> float:
        """Share of the true lesions that were found; ``nan`` if there are none."""
        return self.found / self.reference if self.reference else float("nan")


def match_lesions(reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> LesionMatch:
    """Match predicted lesions to true ones, as the BraTS-METS 2023 challenge does.

    Lesions are 26-connected components; the true mask is dilated by one voxel first, so that fragments a voxel
    apart are one lesion. A true lesion is found if any predicted voxel lies in its dilated shape; a predicted
    component that touches no dilated true lesion is false. True lesions of fewer than two voxels are left out.

    Parameters
    ----------
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, guess = as_lesion(reference, predicted)
    dilated, lesions = ndimage.label(ndimage.binary_dilation(truth, _TOUCHING), _TOUCHING)
    sizes = np.bincount(dilated[truth], minlength=lesions + 1)[1:]
    touched = np.bincount(dilated[guess], minlength=lesions + 1)[1:] > 0
    counted = sizes >= SMALLEST_LESION
    components, number = ndimage.label(guess, _TOUCHING)
    right = np.unique(components[guess & (dilated > 0)])
    return LesionMatch(int(counted.sum()), int((touched & counted).sum()), number - len(right))
