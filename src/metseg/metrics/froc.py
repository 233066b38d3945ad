"""Free-response receiver operating characteristic: lesions found against false positives, by threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from scipy import ndimage

from metseg.metrics.matching import Labels, LesionMatch, label_components
from metseg.metrics.overlap import ratio
from metseg.metrics.statistics import Interval, Score, mean_interval, mean_of

if TYPE_CHECKING:
    from metseg.metrics.scores import Summary

#: Probabilities at which lesions are counted.
THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


class FrocCounts(BaseModel, frozen=True):
    """Lesions of one scan by threshold.

    Attributes
    ----------
    lesions : int
        True ones.
    found, false : tuple of int, length n
        True lesions found, and false positives, where voxels of this probability and more are lesion.
    """

    lesions: int
    thresholds: tuple[float, ...]
    found: tuple[int, ...]
    false: tuple[int, ...]


class OperatingPoint(BaseModel, frozen=True):
    """One threshold over all patients; means and intervals as in :class:`Summary`.

    Attributes
    ----------
    false_positives, false_positives_interval
        Per scan.
    """

    threshold: float
    sensitivity: Score
    sensitivity_interval: Interval
    false_positives: Score
    false_positives_interval: Interval


def count_by_threshold(
    lesions: Labels,
    probabilities: npt.NDArray[np.floating],
    min_lesion_voxels: int = 0,
    thresholds: Sequence[float] = THRESHOLDS,
) -> FrocCounts:
    """Count found lesions and false positives at every threshold.

    Parameters
    ----------
    lesions : ndarray of int
        The true lesions, as :func:`label_components` numbers them.
    probabilities : ndarray of float, same shape
        Probability of lesion.
    min_lesion_voxels : int
        Predicted components of fewer voxels are dropped; nothing else of the post-processing takes part.
    """
    boxes = ndimage.find_objects(((lesions > 0) | (probabilities >= min(thresholds))).astype(np.int8))
    if boxes:
        lesions, probabilities = lesions[boxes[0]], probabilities[boxes[0]]
    matches = [LesionMatch.of(lesions, label_components(probabilities >= at), min_lesion_voxels) for at in thresholds]
    return FrocCounts(
        lesions=int(matches[0].counted.sum()),
        thresholds=tuple(thresholds),
        found=tuple(int((match.found & match.counted).sum()) for match in matches),
        false=tuple(int(match.false.sum()) for match in matches),
    )


def operating_points(patients: Sequence[Sequence[FrocCounts]]) -> tuple[OperatingPoint, ...]:
    """The curve over patients, each given as its scans.

    Raises
    ------
    ValueError
        If the scans were counted at different thresholds.
    """
    thresholds = {scan.thresholds for scans in patients for scan in scans}
    if len(thresholds) > 1:
        raise ValueError("the scans were counted at different thresholds")
    points: list[OperatingPoint] = []
    for index, threshold in enumerate(next(iter(thresholds), ())):
        sensitivity = [ratio(sum(s.found[index] for s in scans), sum(s.lesions for s in scans)) for scans in patients]
        false = [mean_of([scan.false[index] for scan in scans]) for scans in patients]
        points.append(
            OperatingPoint(
                threshold=threshold,
                sensitivity=mean_of(sensitivity),
                sensitivity_interval=mean_interval(sensitivity),
                false_positives=mean_of(false),
                false_positives_interval=mean_interval(false),
            )
        )
    return tuple(points)


def draw_froc(path: Path, summaries: Mapping[str, Summary]) -> None:
    """Draw a curve for each summary that has one, with its interval and the point at which it was scored.

    Parameters
    ----------
    path : Path
        A picture in any format of matplotlib.
    summaries : mapping of str to Summary
        By what the legend calls them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, summary in summaries.items():
        false = [point.false_positives for point in summary.froc]
        (line,) = axes.plot(false, [point.sensitivity for point in summary.froc], marker=".", label=name)
        bounds = [point.sensitivity_interval for point in summary.froc]
        axes.fill_between(
            false, [row.low for row in bounds], [row.high for row in bounds], color=line.get_color(), alpha=0.15
        )
        axes.plot(summary.false_positives_per_scan, summary.sensitivity, "D", color=line.get_color())
    axes.set(xlabel="false positives per scan", ylabel="lesions found, by patient", ylim=(0, 1.02))
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)
