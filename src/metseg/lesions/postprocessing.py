"""From probabilities to a mask."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage

from metseg.lesions.components import label_lesions


class PostprocessingConfig(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """How probabilities become a mask.

    Attributes
    ----------
    threshold : float
        Voxels at or above this probability are lesion.
    min_lesion_voxels : int, stored as ``smallest``
        Lesions (26-connected in 3-D) of fewer voxels are dropped; 0 and 1 keep all.
    fill_holes : bool
        Fill holes slice by slice.
    peak : float
        Lesions whose largest probability is below are dropped: a lesion is found at this probability and outlined at
        the threshold (hysteresis, Canny 1986); 0 keeps all.
    """

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    min_lesion_voxels: Annotated[int, Field(ge=0, alias="smallest")] = 0
    fill_holes: bool = True
    peak: Annotated[float, Field(ge=0, le=1)] = 0.0

    def adjusted(self, *, threshold: float | None = None, min_lesion_voxels: int | None = None) -> PostprocessingConfig:
        """This configuration with what is given in its place.

        Raises
        ------
        pydantic.ValidationError
            If a value is out of range.
        """
        new = {"threshold": threshold, "smallest": min_lesion_voxels}
        given = {name: value for name, value in new.items() if value is not None}
        return PostprocessingConfig.model_validate({**self.model_dump(), **given})


def mask_from_probabilities(
    probabilities: npt.NDArray[np.float32], config: PostprocessingConfig
) -> npt.NDArray[np.uint8]:
    """Threshold, fill holes, drop lesions that are small or nowhere likely, in this order.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (z, y, x)
        Probability of lesion.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    """
    mask = probabilities >= config.threshold
    if config.fill_holes:
        for plane in mask:
            if plane.any():
                ndimage.binary_fill_holes(plane, output=plane)
    if config.min_lesion_voxels > 1 or config.peak > config.threshold:
        lesions = label_lesions(mask)[mask]
        sizes = np.bincount(lesions)
        peaks = np.zeros(len(sizes), np.float32)
        np.maximum.at(peaks, lesions, probabilities[mask])
        mask[mask] = ((sizes >= config.min_lesion_voxels) & (peaks >= config.peak))[lesions]
    return mask.astype(np.uint8)
