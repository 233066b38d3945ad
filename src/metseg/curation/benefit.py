"""What reviewing a slice is expected to gain, from the network's own probabilities.

If each voxel is lesion with the probability that a calibrated network gives it, the Dice coefficient of a case can be
expected before anybody has looked at it, and so can the Dice it will have once a slice is corrected. The difference is
the slice's benefit. ``docs/review.md`` says what this order gains on held-out patients.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from metseg.lesions import label_lesions

Float = npt.NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]

#: Expected lesion of fewer voxels in a whole case counts for little: an empty head is not the worst of all cases.
_FEW = 10.0


class BenefitConfig(BaseModel, frozen=True, extra="forbid"):
    """Settings of :func:`expected_benefit`; chosen on two folds of held-out patients, see ``docs/review.md``.

    Attributes
    ----------
    small : float
        A proposed lesion of this share of the case's largest is believed half; a smaller one less. 0 believes all.
    leading : float
        The leading slices of a case hold this share of its expected gain.
    """

    small: Share = 0.05
    leading: Annotated[float, Field(gt=0, le=1)] = 0.8


@dataclass(frozen=True, slots=True)
class SliceBenefit:
    """What looking at one slice is worth.

    Attributes
    ----------
    z : int
        Index of the slice, counted from 0.
    gain : float
        Expected rise of the case's Dice if this slice alone is corrected.
    changes : float
        Voxels that are expected to be changed on it.
    disputed : float or None
        Voxels on which the members of an ensemble disagree, each counted by how far they are apart; ``None`` of a
        single network. It is shown, and has no part in the order: see ``docs/review.md``.
    """

    z: int
    gain: float
    changes: float
    disputed: float | None = None


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """Which slices of a case matter, and which were reviewed; by their index, counted from 0.

    Attributes
    ----------
    gains : dict of int to float
        Expected rise of the case's Dice by slice, before anything was reviewed.
    first : tuple of int
        Slices that matter: the few that hold most of the gain, most of it first. They stay the same until another
        network predicts the case.
    reviewed : frozenset of int
        Slices that somebody has looked at or drawn on.
    numbers : tuple of int
        The number by which people call each slice, see :func:`metseg.study.number_slices`.
    """

    gains: dict[int, float]
    first: tuple[int, ...]
    reviewed: frozenset[int]
    numbers: tuple[int, ...]

    @property
    def left(self) -> tuple[int, ...]:
        """Slices that matter and were not reviewed."""
        return tuple(z for z in self.first if z not in self.reviewed)


@dataclass(frozen=True, slots=True)
class CaseBenefit:
    """What looking at a case is worth.

    Attributes
    ----------
    dice : float
        Expected Dice of the case as it is.
    slices : tuple of SliceBenefit
        Those that are not reviewed yet; those that matter first, and most gain first.
    leading : int
        So many of these matter: look at them first, then go on to the next case.
    plan : SlicePlan or None
        The slices that matter, reviewed or not; ``None`` where only probabilities are known, and no case.
    """

    dice: float
    slices: tuple[SliceBenefit, ...]
    leading: int
    plan: SlicePlan | None = None

    @property
    def changes(self) -> float:
        """Voxels that are expected to be changed."""
        return sum(one.changes for one in self.slices)

    @property
    def disputed(self) -> float | None:
        """Voxels on which the members of an ensemble disagree; ``None`` if that is not known."""
        known = [one.disputed for one in self.slices if one.disputed is not None]
        return sum(known) if known else None

    @property
    def gain(self) -> float:
        """Expected rise of the case's Dice, 0 to 1, if all of it is corrected."""
        return 1 - self.dice

    @property
    def rank(self) -> float:
        """Expected rise of the case's Dice for each of its leading slices: cases come in falling order of this."""
        first = self.slices[: self.leading]
        return sum(one.gain for one in first) / len(first) if first else 0.0


def expected_benefit(
    mask: npt.NDArray[np.generic],
    probabilities: npt.NDArray[np.floating],
    *,
    reviewed: Collection[int] = (),
    disagreement: npt.NDArray[np.floating] | None = None,
    config: BenefitConfig | None = None,
) -> CaseBenefit:
    """Expect what a reviewer would change, and what the case's Dice would gain by it.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x)
        Non-zero inside lesions, as they are drawn now.
    probabilities : ndarray of float, shape (z, y, x)
        Calibrated, 0 to 1; the mean over an ensemble's members.
    reviewed : collection of int
        Slices that somebody has looked at: what is drawn there is true, and there is nothing to gain.
    disagreement : ndarray of float, shape (z, y, x), optional
        How far the members are apart, 0 to 1.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    With the counts ``M`` (drawn), ``Y`` (expected lesion) and ``T`` (expected to be both) of a case, its Dice is taken
    for ``2 T / (M + Y)``, the ratio of expectations; ``s`` voxels are added above and below, for cases with next to
    nothing in them. On a corrected slice all three counts become its ``Y``.
    """
    config = config or BenefitConfig()
    drawn = np.asarray(mask) != 0
    if drawn.ndim != 3 or drawn.shape != probabilities.shape:
        raise ValueError(f"probabilities of shape {probabilities.shape} do not fit a mask of shape {drawn.shape}")
    if disagreement is not None and disagreement.shape != drawn.shape:
        raise ValueError(f"a disagreement of shape {disagreement.shape} does not fit a mask of shape {drawn.shape}")
    chance = _chance(drawn, probabilities, config)
    done = sorted(set(reviewed))
    chance[done] = drawn[done]
    area, lesion = _per_slice(drawn), _per_slice(chance)
    common = _per_slice(chance * drawn)
    together, hit = float(area.sum() + lesion.sum()), float(common.sum())
    now = (2 * hit + _FEW) / (together + _FEW)
    gain = (2 * (hit - common + lesion) + _FEW) / (together - area + lesion + _FEW) - now
    changes = area + lesion - 2 * common
    order = [int(z) for z in np.argsort(-gain, kind="stable") if int(z) not in set(done)]
    apart = None if disagreement is None else _per_slice(disagreement)
    slices = tuple(
        SliceBenefit(
            z,
            max(float(gain[z]), 0.0),
            max(float(changes[z]), 0.0),
            None if apart is None else float(apart[z]),
        )
        for z in order
    )
    return CaseBenefit(now, slices, count_leading(slices, config.leading))


def count_leading(slices: Sequence[SliceBenefit], share: float) -> int:
    """How many of ``slices``, from the first, hold ``share`` of the gain of all; 0 if there is nothing to gain."""
    gained = np.cumsum([one.gain for one in slices])
    if not len(gained) or gained[-1] <= 0:
        return 0
    return int(np.searchsorted(gained, share * gained[-1])) + 1


def _chance(
    drawn: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating], config: BenefitConfig
) -> npt.NDArray[np.float32]:
    """How likely each voxel is lesion, after all that is known."""
    chance = np.array(probabilities, np.float32)
    labels = label_lesions(drawn)
    sizes = np.bincount(labels.ravel())[1:].astype(np.float64)
    if config.small and len(sizes) > 1:
        believed = sizes / (sizes + config.small * sizes.max())
        believed[sizes == sizes.max()] = 1
        chance *= np.concatenate([[1], believed]).astype(np.float32)[labels]
    return chance


def _per_slice(values: npt.NDArray[np.generic]) -> Float:
    return np.asarray(values.sum(axis=(1, 2), dtype=np.float64), np.float64)
