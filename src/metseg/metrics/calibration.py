"""Whether probabilities are what they say."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, computed_field
from scipy import ndimage

from metseg.metrics.overlap import as_lesion
from metseg.metrics.statistics import Score

#: Probabilities below this are background that no model doubts; it outnumbers everything else a hundred times.
DOUBTLESS = 0.01

#: How far around lesions and suspected lesions voxels are judged, in voxels.
MARGIN = 2

_EDGES = np.array([0.0, DOUBTLESS, *np.linspace(0.1, 1.0, 10)])


class Reliability(BaseModel, frozen=True):
    """How often voxels of a given probability are lesion (a reliability diagram, and the scores made of it).

    Attributes
    ----------
    edges : tuple of float, length n + 1
        Bounds of the bins: tenths, the first of them divided at :data:`DOUBTLESS`.
    voxels, lesion_voxels : tuple of int, length n
        Voxels whose probability falls into each bin, and those of them that are lesion.
    probability : tuple of float, length n
        Sum of the probabilities in each bin.
    squared_error : float
        Sum of (probability - truth)² over all voxels.
    """

    edges: tuple[float, ...]
    voxels: tuple[int, ...]
    lesion_voxels: tuple[int, ...]
    probability: tuple[float, ...]
    squared_error: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ece(self) -> Score:
        """Expected calibration error (Naeini et al. 2015) over all voxels; ``nan`` without voxels."""
        return self._error(first=0)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ece_in_doubt(self) -> Score:
        """Expected calibration error over voxels of probability :data:`DOUBTLESS` and more; ``nan`` without any."""
        return self._error(first=1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def brier(self) -> Score:
        """Mean squared error of the probability (Brier 1950) over all voxels; ``nan`` without voxels."""
        number = sum(self.voxels)
        return self.squared_error / number if number else float("nan")

    def curve(self) -> list[tuple[float, float]]:
        """Mean probability, and share of lesion, of every bin that holds a voxel."""
        bins = zip(self.voxels, self.lesion_voxels, self.probability, strict=True)
        return [(probability / number, lesion / number) for number, lesion, probability in bins if number]

    def __add__(self, other: Reliability) -> Reliability:
        """Of both sets of voxels together."""
        return Reliability(
            edges=self.edges,
            voxels=tuple(map(add, self.voxels, other.voxels)),
            lesion_voxels=tuple(map(add, self.lesion_voxels, other.lesion_voxels)),
            probability=tuple(map(add, self.probability, other.probability)),
            squared_error=self.squared_error + other.squared_error,
        )

    def _error(self, first: int) -> float:
        number = sum(self.voxels[first:])
        gaps = (abs(p - n) for p, n in zip(self.probability[first:], self.lesion_voxels[first:], strict=True))
        return sum(gaps) / number if number else float("nan")


def reliability(reference: npt.NDArray[np.generic], probabilities: npt.NDArray[np.floating]) -> Reliability:
    """Sort voxels by probability and count the lesion among them.

    Parameters
    ----------
    reference : ndarray
        Non-zero inside lesions.
    probabilities : ndarray of float, same shape
        Probability of lesion, 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ, or a probability is outside 0 to 1.
    """
    truth, _ = as_lesion(reference, probabilities)
    given = probabilities.astype(np.float64).ravel()
    if given.size and not (given.min() >= 0 and given.max() <= 1):
        raise ValueError("probabilities must be between 0 and 1")
    place = np.digitize(given, _EDGES[1:-1])
    lesion = truth.ravel()
    number = len(_EDGES) - 1
    return Reliability(
        edges=tuple(_EDGES.tolist()),
        voxels=tuple(np.bincount(place, minlength=number).tolist()),
        lesion_voxels=tuple(np.bincount(place[lesion], minlength=number).tolist()),
        probability=tuple(np.bincount(place, weights=given, minlength=number).tolist()),
        squared_error=float(np.square(given - lesion).sum()),
    )


def reliability_near_lesions(
    reference: npt.NDArray[np.generic], probabilities: npt.NDArray[np.floating]
) -> Reliability:
    """The same over voxels at most :data:`MARGIN` from a lesion or from a probability of :data:`DOUBTLESS` and more.

    Over a whole scan the background that nobody doubts makes every network look calibrated; over the voxels of high
    probability alone a missed lesion does not count.
    """
    truth, _ = as_lesion(reference, probabilities)
    near = ndimage.maximum_filter(truth | (probabilities >= DOUBTLESS), size=2 * MARGIN + 1)
    return reliability(truth[near], probabilities[near])


def pool_reliability(parts: Iterable[Reliability]) -> Reliability:
    """Of all voxels of many patients together; without patients, a diagram without voxels."""
    return reduce(Reliability.__add__, parts, reliability(np.zeros(0), np.zeros(0)))
