"""Scores of a patient, and of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from metseg.metrics.matching import match_lesions
from metseg.metrics.overlap import overlap

#: A float whose ``nan`` is ``null`` in JSON.
Score = Annotated[
    float,
    BeforeValidator(lambda value: float("nan") if value is None else value),
    PlainSerializer(lambda value: None if value != value else value, return_type=float | None, when_used="json"),
]


class PatientScore(BaseModel):
    """How well one patient's mask was predicted; edge cases as in :class:`Overlap`.

    Attributes
    ----------
    name : str
        Patient.
    dice, iou, precision, recall : float
        Volumetric: over all voxels of the patient.
    slice_dice : tuple of float
        Dice of every slice with lesion in the reference.
    empty_slices, false_positive_slices : int
        Slices without lesion, and those of them where lesion was predicted.
    lesions, found_lesions, false_lesions : int
        See :func:`match_lesions`.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    dice: Score
    iou: Score
    precision: Score
    recall: Score
    slice_dice: tuple[Score, ...]
    empty_slices: int
    false_positive_slices: int
    lesions: int
    found_lesions: int
    false_lesions: int


class Summary(BaseModel):
    """Scores over patients; ``nan`` where nothing could be measured.

    Attributes
    ----------
    patients : int
        Number of patients.
    mean_dice, median_dice, worst_dice : float
        Volumetric Dice per patient.
    mean_slice_dice, median_slice_dice : float
        Over all slices with lesion in the reference, of all patients.
    mean_iou, median_iou, mean_precision, mean_recall : float
        Volumetric, per patient; patients for whom one is undefined do not count in it.
    lesion_sensitivity : float
        Found lesions of all patients over all their lesions.
    false_lesions_per_patient : float
        Mean number of predicted lesions that are none.
    false_positive_slices : float
        Share of the slices without lesion on which some was predicted.
    scores : tuple of PatientScore
        Each patient.
    """

    model_config = ConfigDict(frozen=True)

    patients: int
    mean_dice: Score
    median_dice: Score
    worst_dice: Score
    mean_slice_dice: Score
    median_slice_dice: Score
    mean_iou: Score
    median_iou: Score
    mean_precision: Score
    mean_recall: Score
    lesion_sensitivity: Score
    false_lesions_per_patient: Score
    false_positive_slices: Score
    scores: tuple[PatientScore, ...]


def score_patient(name: str, reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> PatientScore:
    """Score one patient.

    Parameters
    ----------
    name : str
        Patient.
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    volume = overlap(reference, predicted)
    lesions = match_lesions(reference, predicted)
    has_lesion = reference.any(axis=(1, 2))
    return PatientScore(
        name=name,
        dice=volume.dice,
        iou=volume.iou,
        precision=volume.precision,
        recall=volume.recall,
        slice_dice=tuple(overlap(reference[z], predicted[z]).dice for z in np.flatnonzero(has_lesion)),
        empty_slices=int((~has_lesion).sum()),
        false_positive_slices=int(predicted[~has_lesion].any(axis=(1, 2)).sum()),
        lesions=lesions.reference,
        found_lesions=lesions.found,
        false_lesions=lesions.false,
    )


def summarise(scores: Iterable[PatientScore]) -> Summary:
    """Summarise the scores of many patients."""
    rows = tuple(scores)
    dice = [row.dice for row in rows]
    slices = [value for row in rows for value in row.slice_dice]
    iou = [row.iou for row in rows]
    lesions = sum(row.lesions for row in rows)
    empty = sum(row.empty_slices for row in rows)
    return Summary(
        patients=len(rows),
        mean_dice=_mean(dice),
        median_dice=_median(dice),
        worst_dice=min(dice, default=float("nan")),
        mean_slice_dice=_mean(slices),
        median_slice_dice=_median(slices),
        mean_iou=_mean(iou),
        median_iou=_median(iou),
        mean_precision=_mean([row.precision for row in rows]),
        mean_recall=_mean([row.recall for row in rows]),
        lesion_sensitivity=sum(row.found_lesions for row in rows) / lesions if lesions else float("nan"),
        false_lesions_per_patient=_mean([row.false_lesions for row in rows]),
        false_positive_slices=sum(row.false_positive_slices for row in rows) / empty if empty else float("nan"),
        scores=rows,
    )


def _mean(values: Sequence[float]) -> float:
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))


def _median(values: Sequence[float]) -> float:
    return float("nan") if np.isnan(values).all() else float(np.nanmedian(values))
