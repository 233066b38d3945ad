"""Lesions as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from metseg.lesions.measurement import Lesion

_COLUMNS = (
    "lesion",
    "first_slice",
    "last_slice",
    "voxels",
    "volume_mm3",
    "diameter_px",
    "diameter_mm",
    "mean_probability",
    "centroid_z",
    "centroid_y",
    "centroid_x",
    "touches_border",
    "target",
)


def lesion_table_csv(lesions: Iterable[Lesion], target: str = "") -> str:
    r"""Write lesions as comma-separated text with a header line.

    Parameters
    ----------
    lesions : iterable of Lesion
        One line each.
    target : str
        What they are, such as a :class:`~metseg.lesions.Target`; empty if that is not known.

    Returns
    -------
    str
        One line a lesion, ended by ``\n``; slices and centroids are counted from 0; what is not known is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for lesion in lesions:
        writer.writerow(
            [
                lesion.id,
                *lesion.slices,
                lesion.n_voxels,
                _rounded(lesion.volume_mm3, 1),
                _rounded(lesion.diameter_px, 2),
                _rounded(lesion.diameter_mm, 2),
                _rounded(lesion.mean_probability, 4),
                *(_rounded(place, 2) for place in lesion.centroid),
                "yes" if lesion.touches_border else "no",
                target,
            ]
        )
    return text.getvalue()


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
