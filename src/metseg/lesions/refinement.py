"""Probabilities that follow the edges of the image."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

Planes = npt.NDArray[np.float32]


class GuidedFilter(BaseModel, frozen=True, extra="forbid"):
    """Settings of :func:`guided_filter`.

    Attributes
    ----------
    radius : int
        Half width of the window, pixels.
    tolerance : float
        Variance of the guide below which a window counts as flat and is averaged, for a guide in [0, 1].
    """

    radius: Annotated[int, Field(ge=1)] = 5
    tolerance: Annotated[float, Field(gt=0)] = 3e-4


def guided_filter(probabilities: Planes, guide: Planes, config: GuidedFilter) -> Planes:
    """Smooth each slice within what is evenly bright on the guide, and not across its edges (He, Sun, Tang 2010).

    Parameters
    ----------
    probabilities : ndarray of float32, shape (z, y, x)
        Probability of lesion.
    guide : ndarray of float32, shape (z, y, x)
        Image in [0, 1].

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        In [0, 1].
    """
    window = (2 * config.radius + 1,) * 2

    def mean(plane: Planes) -> Planes:
        return np.asarray(cv2.boxFilter(plane, -1, window, borderType=cv2.BORDER_REFLECT), np.float32)

    refined = np.zeros_like(probabilities)
    for plane, image, result in zip(probabilities, guide, refined, strict=True):
        level, brightness = mean(plane), mean(image)
        variance = np.maximum(mean(image * image) - brightness**2, 0)
        slope = (mean(image * plane) - brightness * level) / (variance + np.float32(config.tolerance))
        np.clip(mean(slope) * image + mean(level - slope * brightness), 0, 1, out=result)
    return refined
