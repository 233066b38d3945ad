"""Voxel-wise agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Overlap:
    """Voxel counts of two masks, and the ratios made of them.

    Edge cases: two empty masks agree (Dice and IoU 1); if one is empty both are 0. Precision of an empty prediction
    and recall of an empty reference are ``nan``: there is nothing they could speak of.
    """

    true_positive: int
    false_positive: int
    false_negative: int

    @property
    def dice(self) -> float:
        """Dice 1945: twice the common voxels over the sum of both masks."""
        return ratio(2 * self.true_positive, self._either + self.true_positive, empty=1.0)

    @property
    def iou(self) -> float:
        """Jaccard 1912: common voxels over those of either mask."""
        return ratio(self.true_positive, self._either, empty=1.0)

    @property
    def precision(self) -> float:
        """Share of the predicted voxels that are lesion."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the lesion's voxels that were predicted."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def _either(self) -> int:
        return self.true_positive + self.false_positive + self.false_negative


def overlap(reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> Overlap:
    """Count how two masks of one shape overlap; non-zero is lesion.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, guess = as_lesion(reference, predicted)
    common = int(np.count_nonzero(truth & guess))
    return Overlap(common, int(np.count_nonzero(guess)) - common, int(np.count_nonzero(truth)) - common)


def as_lesion(
    reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Both masks as bool, ``True`` where they are not zero.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"masks of different shapes: {reference.shape} and {predicted.shape}")
    return np.asarray(reference != 0), np.asarray(predicted != 0)


def ratio(part: int, whole: int, empty: float = float("nan")) -> float:
    """``part / whole``; ``empty`` if there is no whole."""
    return part / whole if whole else empty
