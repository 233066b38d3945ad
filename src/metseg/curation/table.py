"""The lesions of a case in rows: what :mod:`metseg.lesions` measures, how confident the network is, who drew them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.curation.enums import Origin
from metseg.lesions import Lesion, Midline, lesion_table_csv, measure
from metseg.study import write_text

_COLUMNS = ("uncertainty", "disagreement", "edited", "origin", "first_slice_number", "last_slice_number")

#: Probabilities nearer to 0 or 1 than this count as certain.
_LEAST = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class LesionRow:
    """One line of the lesion table.

    Attributes
    ----------
    lesion : Lesion
        Its id and measures.
    uncertainty : float or None
        Mean binary entropy (Shannon 1948), in bits, of the network's probability over the lesion and the voxels that
        touch it: 0 if it is certain, 1 if it tosses a coin. ``None`` without probabilities.
    origin : Origin or None
        DICOM's word for how it came to be; ``None`` if that was not asked.
    disagreement : float or None
        How far the members of an ensemble are apart, mean over the lesion: 0 if they agree, 1 if one is
        confident that it is lesion and another that it is none. ``None`` of a single network.
    slice_numbers : tuple of int or None
        First and last slice by the numbers by which people call them; ``None`` if that was not asked.
    """

    lesion: Lesion
    uncertainty: float | None
    origin: Origin | None
    disagreement: float | None = None
    slice_numbers: tuple[int, int] | None = None

    @property
    def edited(self) -> bool | None:
        """Whether a person drew or changed it; ``None`` if that was not asked."""
        return None if self.origin is None else self.origin is not Origin.AUTOMATIC

    @property
    def volume(self) -> tuple[float, str]:
        """Size and its unit: mm³ if the spacing is known, else voxels."""
        known = self.lesion.volume_mm3
        return (self.lesion.n_voxels, "voxels") if known is None else (known, "mm³")

    @property
    def diameter(self) -> tuple[float, str]:
        """Longest extent within one slice and its unit: mm if the spacing is known, else pixels."""
        known = self.lesion.diameter_mm
        return (self.lesion.diameter_px, "px") if known is None else (known, "mm")


def lesion_rows(
    labels: npt.NDArray[np.integer],
    *,
    spacing: tuple[float, float, float] | None = None,
    probabilities: npt.NDArray[np.floating] | None = None,
    midline: Midline | None = None,
    origins: Mapping[int, Origin] | None = None,
    disagreement: npt.NDArray[np.floating] | None = None,
    slice_numbers: Sequence[int] | None = None,
) -> tuple[LesionRow, ...]:
    """Measure every lesion of a case.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        0, or the lesion's id; as in :attr:`metseg.curation.CaseView.labels`, or not committed yet.
    spacing : tuple of float, optional
        Voxel size in mm along (z, y, x).
    probabilities : ndarray of float, shape (z, y, x), optional
        Calibrated, 0 to 1, as in :attr:`metseg.curation.Prediction.probabilities`.
    midline : Midline, optional
        Of the head, from :func:`metseg.lesions.find_midline`.
    origins : mapping of int to Origin, optional
        As from :meth:`metseg.curation.CaseView.origins`. A lesion that is missing there was drawn since.
    disagreement : ndarray of float, shape (z, y, x), optional
        As in :attr:`metseg.curation.Prediction.disagreement`.
    slice_numbers : sequence of int, length z, optional
        As in :attr:`metseg.curation.CaseDescription.slice_numbers`.

    Returns
    -------
    tuple of LesionRow
        In the order of their ids.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing is not positive.
    """
    if disagreement is not None and disagreement.shape != labels.shape:
        raise ValueError(f"a disagreement of shape {disagreement.shape} does not fit labels of shape {labels.shape}")
    lesions = measure(labels, spacing=spacing, probabilities=probabilities, midline=midline)
    boxes = ndimage.find_objects(labels)
    return tuple(
        LesionRow(
            lesion,
            None if probabilities is None else _uncertainty(lesion.id, boxes[lesion.id - 1], labels, probabilities),
            None if origins is None else origins.get(lesion.id, Origin.MANUAL),
            None if disagreement is None else _mean_inside(lesion.id, boxes[lesion.id - 1], labels, disagreement),
            None if slice_numbers is None else (slice_numbers[lesion.slices[0]], slice_numbers[lesion.slices[1]]),
        )
        for lesion in lesions
    )


def lesion_rows_csv(rows: Iterable[LesionRow], target: str = "") -> str:
    r"""Write rows as comma-separated text with a header line.

    Parameters
    ----------
    target : str
        What the network outlines that predicted the case; empty if none did.

    Returns
    -------
    str
        The columns of :func:`metseg.lesions.lesion_table_csv`, then uncertainty, disagreement, edited (yes or no),
        origin, and the numbers by which people call first and last slice; what is not known is left empty.
    """
    listed = list(rows)
    measures = csv.reader(io.StringIO(lesion_table_csv((row.lesion for row in listed), target)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for cells, more in zip(measures, chain([_COLUMNS], map(_cells, listed)), strict=True):
        writer.writerow([*cells, *more])
    return text.getvalue()


def write_lesion_rows(rows: Iterable[LesionRow], path: str | Path, target: str = "") -> None:
    """Write rows to a CSV file, whole or not at all; see :func:`lesion_rows_csv`.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    write_text(path, lesion_rows_csv(rows, target))


def binary_entropy(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Entropy in bits of yes-or-no with each probability: 0 for 0 and 1, 1 for 0.5; same shape."""
    p = np.clip(np.asarray(probabilities, np.float32), _LEAST, 1 - _LEAST)
    entropy: npt.NDArray[np.float32] = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return entropy


def _uncertainty(
    label: int, box: tuple[slice, ...], labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating]
) -> float:
    """Mean entropy over a lesion and its shell; what belongs to other lesions is left out."""
    wider = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
    here = labels[wider]
    inside = here == label
    counted = inside | (ndimage.binary_dilation(inside, np.ones((3, 3, 3))) & (here == 0))
    return float(binary_entropy(probabilities[wider][counted]).mean(dtype=np.float64))


def _mean_inside(
    label: int, box: tuple[slice, ...], labels: npt.NDArray[np.integer], values: npt.NDArray[np.floating]
) -> float:
    return float(values[box][labels[box] == label].mean(dtype=np.float64))


def _cells(row: LesionRow) -> tuple[str, ...]:
    edited = "" if row.edited is None else "yes" if row.edited else "no"
    uncertainty, apart = ("" if value is None else f"{value:.4f}" for value in (row.uncertainty, row.disagreement))
    return uncertainty, apart, edited, row.origin or "", *map(str, row.slice_numbers or ("", ""))
