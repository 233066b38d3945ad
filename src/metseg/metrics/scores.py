"""Scores of a scan, of a patient and of many patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from metseg.metrics.calibration import Reliability, pool_reliability, reliability_near_lesions
from metseg.metrics.froc import FrocCounts, OperatingPoint, count_by_threshold, operating_points
from metseg.metrics.matching import (
    HD95_PENALTY,
    FalsePositive,
    LesionScore,
    Spacing,
    match_lesions,
    score_lesions,
)
from metseg.metrics.overlap import overlap, ratio
from metseg.metrics.sizes import SizeClass, by_size
from metseg.metrics.statistics import Interval, Score, mean_interval, mean_of


class ScanScore(BaseModel, frozen=True):
    """How well the mask of one scan was predicted; edge cases as in :class:`Overlap`.

    Attributes
    ----------
    name, patient : str
        The scan, and whom it is of.
    dice, iou, precision, recall : float
        Volumetric: over all voxels of the scan.
    slice_dice : tuple of float
        Dice of every slice with lesion in the reference.
    empty_slices, false_positive_slices : int
        Slices without lesion, and those of them where lesion was predicted.
    lesions, false_positives : tuple
        See :func:`score_lesions`.
    lesion_dice, lesion_hd95 : float
        Mean over the groups of lesions and the false positives, each of which counts as Dice 0 and HD95
        :data:`HD95_PENALTY`, as does a missed lesion; 1 and 0 where there is neither.
    unit : str
        Of ``lesion_hd95``: ``mm``, or ``voxels`` where the spacing is unknown.
    reliability : Reliability or None
        Near lesions, see :func:`reliability_near_lesions`; ``None`` without probabilities, like ``froc``.
    froc : FrocCounts or None
        Lesions by threshold.
    """

    name: str
    patient: str
    dice: Score
    iou: Score
    precision: Score
    recall: Score
    slice_dice: tuple[Score, ...]
    empty_slices: int
    false_positive_slices: int
    lesions: tuple[LesionScore, ...]
    false_positives: tuple[FalsePositive, ...]
    lesion_dice: Score
    lesion_hd95: Score
    unit: Literal["mm", "voxels"]
    reliability: Reliability | None = None
    froc: FrocCounts | None = None

    @property
    def found(self) -> int:
        """How many of the true lesions were found."""
        return sum(lesion.found for lesion in self.lesions)


class PatientScore(BaseModel, frozen=True):
    """All scans of one patient together.

    Attributes
    ----------
    lesions, found, sensitivity
        True lesions of all scans, those of them that were found, and their share; ``nan`` without lesions.
    false_positives : float
        Mean number over the scans.
    ece, brier : float
        Over all voxels near lesions of all scans.
    """

    name: str
    dice: Score
    iou: Score
    precision: Score
    recall: Score
    lesions: int
    found: int
    sensitivity: Score
    false_positives: Score
    lesion_dice: Score
    lesion_hd95: Score
    ece: Score
    brier: Score
    scans: tuple[ScanScore, ...]


class Summary(BaseModel, frozen=True):
    """Scores over patients; ``nan`` where nothing could be measured.

    A patient counts once, however many scans and lesions there are; patients for whom a score is undefined do not
    count in it.

    Attributes
    ----------
    mean_dice, median_dice, worst_dice : float
        Volumetric Dice per patient.
    mean_slice_dice, median_slice_dice : float
        Over all slices with lesion in the reference, of all patients.
    mean_iou, median_iou, mean_precision, mean_recall : float
        Volumetric, per patient.
    sensitivity, false_positives_per_scan, lesion_dice, lesion_hd95, ece, brier : float
        Means over patients, see :class:`PatientScore`.
    unit : str
        Of ``lesion_hd95``, which is ``nan`` if the scans' units differ.
    false_positive_slices : float
        Share of the slices without lesion on which some was predicted.
    intervals : dict of str to Interval
        Bootstrap intervals of the means over patients, by the names above.
    sizes : tuple of SizeClass
        Lesions by voxels, and by diameter where that is known.
    froc : tuple of OperatingPoint
        By threshold; empty unless all scans have one.
    reliability : Reliability
        Over all voxels near lesions of all patients.
    """

    patients: int
    scans: int
    mean_dice: Score
    median_dice: Score
    worst_dice: Score
    mean_slice_dice: Score
    median_slice_dice: Score
    mean_iou: Score
    median_iou: Score
    mean_precision: Score
    mean_recall: Score
    sensitivity: Score
    false_positives_per_scan: Score
    lesion_dice: Score
    lesion_hd95: Score
    unit: Literal["mm", "voxels"]
    ece: Score
    brier: Score
    false_positive_slices: Score
    intervals: dict[str, Interval]
    sizes: tuple[SizeClass, ...]
    froc: tuple[OperatingPoint, ...]
    reliability: Reliability
    scores: tuple[PatientScore, ...]


#: Means over patients: their name in a summary, and in a patient's score.
_MEANS = {
    "mean_dice": "dice",
    "mean_iou": "iou",
    "mean_precision": "precision",
    "mean_recall": "recall",
    "sensitivity": "sensitivity",
    "false_positives_per_scan": "false_positives",
    "lesion_dice": "lesion_dice",
    "lesion_hd95": "lesion_hd95",
    "ece": "ece",
    "brier": "brier",
}


def score_scan(
    name: str,
    reference: npt.NDArray[np.generic],
    predicted: npt.NDArray[np.generic],
    spacing: Spacing | None = None,
    *,
    patient: str | None = None,
    probabilities: npt.NDArray[np.floating] | None = None,
    min_lesion_voxels: int = 0,
) -> ScanScore:
    """Score one scan.

    Parameters
    ----------
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.
    spacing : tuple of float, optional
        mm along (z, y, x).
    patient : str, optional
        Whom it is of; ``name`` unless given.
    probabilities : ndarray of float, same shape, optional
        Adds calibration and the counts by threshold.
    min_lesion_voxels : int
        Predicted lesions of fewer voxels are dropped in the counts by threshold, as they were from ``predicted``.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    volume = overlap(reference, predicted)
    match = match_lesions(reference, predicted)
    lesions, false = score_lesions(match, spacing)
    apart = sum(not row.beside for row in false)
    groups = {row.group: row for row in lesions}.values()
    has_lesion = reference.any(axis=(1, 2))
    return ScanScore(
        name=name,
        patient=name if patient is None else patient,
        dice=volume.dice,
        iou=volume.iou,
        precision=volume.precision,
        recall=volume.recall,
        slice_dice=tuple(overlap(reference[z], predicted[z]).dice for z in np.flatnonzero(has_lesion)),
        empty_slices=int((~has_lesion).sum()),
        false_positive_slices=int(predicted[~has_lesion].any(axis=(1, 2)).sum()),
        lesions=lesions,
        false_positives=false,
        lesion_dice=mean_of([row.dice for row in groups] + [0.0] * apart or [1.0]),
        lesion_hd95=mean_of([row.hd95 for row in groups] + [HD95_PENALTY] * apart or [0.0]),
        unit="voxels" if spacing is None else "mm",
        reliability=None if probabilities is None else reliability_near_lesions(reference, probabilities),
        froc=None if probabilities is None else count_by_threshold(match.lesions, probabilities, min_lesion_voxels),
    )


def summarise(scans: Iterable[ScanScore]) -> Summary:
    """Pool the scans of each patient, then average over patients in the order in which they first come."""
    of_patient: dict[str, list[ScanScore]] = {}
    for scan in scans:
        of_patient.setdefault(scan.patient, []).append(scan)
    patients = tuple(_score_patient(name, own) for name, own in of_patient.items())
    rows = [scan for patient in patients for scan in patient.scans]
    means = {name: [float(getattr(patient, of)) for patient in patients] for name, of in _MEANS.items()}
    if len({scan.unit for scan in rows}) > 1:
        means["lesion_hd95"] = []
    slices = [value for scan in rows for value in scan.slice_dice]
    counts = [[scan.froc for scan in patient.scans if scan.froc is not None] for patient in patients]
    return Summary.model_validate(
        {name: mean_of(values) for name, values in means.items()}
        | {
            "patients": len(patients),
            "scans": len(rows),
            "median_dice": _median(means["mean_dice"]),
            "worst_dice": min(means["mean_dice"], default=float("nan")),
            "mean_slice_dice": mean_of(slices),
            "median_slice_dice": _median(slices),
            "median_iou": _median(means["mean_iou"]),
            "unit": "mm" if rows and all(scan.unit == "mm" for scan in rows) else "voxels",
            "false_positive_slices": ratio(
                sum(scan.false_positive_slices for scan in rows), sum(scan.empty_slices for scan in rows)
            ),
            "intervals": {name: mean_interval(values) for name, values in means.items()},
            "sizes": by_size(
                [
                    (
                        [lesion for scan in patient.scans for lesion in scan.lesions],
                        [false for scan in patient.scans for false in scan.false_positives],
                    )
                    for patient in patients
                ],
                {"voxels"} | {scan.unit for scan in rows},
            ),
            "froc": operating_points(counts) if sum(map(len, counts)) == len(rows) > 0 else (),
            "reliability": pool_reliability(scan.reliability for scan in rows if scan.reliability is not None),
            "scores": patients,
        }
    )


def _score_patient(name: str, scans: Sequence[ScanScore]) -> PatientScore:
    keys = ("dice", "iou", "precision", "recall", "lesion_dice", "lesion_hd95")
    means = {key: mean_of([getattr(scan, key) for scan in scans]) for key in keys}
    lesions, found = sum(len(scan.lesions) for scan in scans), sum(scan.found for scan in scans)
    calibration = pool_reliability(scan.reliability for scan in scans if scan.reliability is not None)
    return PatientScore.model_validate(
        means
        | {
            "name": name,
            "lesions": lesions,
            "found": found,
            "sensitivity": ratio(found, lesions),
            "false_positives": mean_of([len(scan.false_positives) for scan in scans]),
            "ece": calibration.ece,
            "brier": calibration.brier,
            "scans": tuple(scans),
        }
    )


def _median(values: Sequence[float]) -> float:
    return float("nan") if np.isnan(values).all() else float(np.nanmedian(values))
