"""How certain a mean over patients is, and whether two models differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, PlainSerializer

#: A float whose ``nan`` is ``null`` in JSON.
Score = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    PlainSerializer(lambda value: None if value != value else value, return_type=float | None, when_used="json"),
]

#: Level of every interval, and one minus that of every test.
CONFIDENCE = 0.95

_RESAMPLES = 9999


class Interval(BaseModel, frozen=True):
    """Bounds of a confidence interval; ``nan`` where there are too few patients for one."""

    low: Score
    high: Score

    @property
    def known(self) -> bool:
        """Whether there were patients enough."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class PairedTest(BaseModel, frozen=True):
    """Two models on the same patients.

    Attributes
    ----------
    difference : float
        Mean of first minus second.
    interval : Interval
        Bootstrap interval of that mean.
    p_value : float
        Two-sided Wilcoxon signed-rank test (Wilcoxon 1945); 1 if all pairs are equal.
    """

    patients: int
    difference: Score
    interval: Interval
    p_value: Score

    @property
    def is_significant(self) -> bool:
        """Whether both the interval and the test exclude that the models are alike."""
        return self.interval.known and 0 not in self.interval and self.p_value < 1 - CONFIDENCE


def mean_of(values: Sequence[float]) -> float:
    """Mean of those that are defined; ``nan`` if none is."""
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))


def mean_interval(values: Sequence[float]) -> Interval:
    """95 % interval of a mean over patients, by the bootstrap (BCa, Efron 1987; 9999 resamples, seeded).

    Parameters
    ----------
    values : sequence of float
        One a patient; undefined ones (``nan``) do not count.

    Returns
    -------
    Interval
        ``nan`` for fewer than two patients; the value itself if all are equal.
    """
    from scipy.stats import bootstrap

    defined = np.sort(np.asarray(values, float))
    defined = defined[~np.isnan(defined)]
    if len(defined) < 2:
        return Interval(low=float("nan"), high=float("nan"))
    if defined[0] == defined[-1]:
        return Interval(low=float(defined[0]), high=float(defined[0]))
    found = bootstrap(
        (defined,), np.mean, confidence_level=CONFIDENCE, n_resamples=_RESAMPLES, rng=np.random.default_rng(0)
    ).confidence_interval
    return Interval(low=float(found.low), high=float(found.high))


def compare_paired(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Test whether two models differ on the same patients.

    Parameters
    ----------
    first, second : sequence of float
        One score a patient, in the same order; patients for whom either is undefined do not count.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    from scipy.stats import wilcoxon

    if len(first) != len(second):
        raise ValueError(f"pairs are wanted, not {len(first)} and {len(second)} scores")
    differences = np.asarray(first, float) - np.asarray(second, float)
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        p_value = mean = float("nan")
    else:
        mean = float(differences.mean())
        p_value = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return PairedTest(
        patients=len(differences), difference=mean, interval=mean_interval(differences.tolist()), p_value=p_value
    )
