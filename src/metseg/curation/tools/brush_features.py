"""Evidence that a pixel belongs with a stroke: how bright it is, what the network saw there, what it hangs on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from metseg.curation.tools.growing import Probabilities

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.generic]

#: Nearer to 0 or 1 than this, probabilities say nothing more.
_LEAST = np.float32(1e-3)
#: Part of the brightness below which a difference is rounding.
_LEAST_CONTRAST = 1e-3
#: Log odds of which the network's word has three quarters of its weight.
_CONFIDENT = np.float32(3.0)


@dataclass(frozen=True, eq=False, slots=True)
class IntensityStatistics:
    """Typical values under a stroke and away from it, taken in one slice and good for its neighbours."""

    brightness: float
    contrast: float
    log_odds: float

    @classmethod
    def of(cls, image: Plane, log_odds: Plane | None, under: Mask, away: Mask) -> IntensityStatistics:
        """Medians under the stroke and away from it.

        The contrast is at least one (robust) standard deviation of what lies away, so that noise is not stretched
        where there is none. Without any pixel away there is no contrast to be had: it is infinite.
        """
        inside = float(np.median(image[under]))
        elsewhere = image[away]
        if elsewhere.size:
            outside = float(np.median(elsewhere))
            noise = 1.4826 * float(np.median(np.abs(elsewhere - outside)))
            difference = inside - outside
            least = max(_LEAST_CONTRAST * max(abs(inside), abs(outside)), float(np.finfo(np.float32).tiny))
            contrast = math.copysign(max(abs(difference), noise, least), difference)
        else:
            outside, contrast = inside, math.inf
        return cls(outside, contrast, float(np.median(log_odds[under])) if log_odds is not None else 0.0)

    def likeness(self, image: Plane) -> Plane:
        """1 where the image is as bright as under the stroke, 0 where it is as away from it; -1 to 3."""
        return np.asarray(np.clip((image - np.float32(self.brightness)) / np.float32(self.contrast), -1, 3), np.float32)


def smoothed(image: Image) -> Plane:
    """One plane of the image as float32, without its finest noise (Gaussian, 1 pixel)."""
    return np.asarray(cv2.GaussianBlur(np.ascontiguousarray(image, np.float32), (0, 0), 1.0), np.float32)


def log_odds(probabilities: Probabilities) -> Plane:
    """Log odds of one plane of probabilities, between -7 and 7."""
    p = np.asarray(probabilities, np.float32)
    if probabilities.dtype == np.uint8:
        p = p / np.float32(255)
    return np.asarray(np.log((p + _LEAST) / (1 - p + _LEAST)), np.float32)


def squashed_logit(odds: Plane) -> Plane:
    """From -1 (no lesion) to 1 (lesion); high log odds say hardly more than middling ones."""
    return np.asarray(np.tanh(odds / _CONFIDENT), np.float32)


def connected(mask: Mask, seeds: Mask) -> Mask:
    """The parts of ``mask`` (4-connected, in one slice) that hold a seed, their holes filled."""
    outside = pieces_of(np.pad(~met(pieces_of(mask, 4), seeds), 1, constant_values=True), 4)
    return np.asarray((outside != outside[0, 0])[1:-1, 1:-1])


def pieces_of(mask: Mask, connectivity: int) -> npt.NDArray[np.int32]:
    """Number the pieces of a plane's mask, from 1; neighbours are 4 or 8."""
    return np.asarray(cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)[1], np.int32)


def met(pieces: npt.NDArray[np.int32], places: Mask) -> Mask:
    """Where the pieces lie that ``places`` meets."""
    chosen = np.zeros(pieces.max() + 1, bool)
    chosen[pieces[places]] = True
    chosen[0] = False
    return np.asarray(chosen[pieces])


def depth_of(mask: Mask) -> Plane:
    """Distance in pixels from each pixel of a plane's mask to the nearest outside it; the border is outside."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1], np.float32)
