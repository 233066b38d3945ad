"""Lesions as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from metseg.lesions.measurement import Lesion

#: Names of the columns.
LESION_COLUMNS = (
    "lesion",
    "first_slice",
    "last_slice",
    "voxels",
    "volume_mm3",
    "diameter_px",
    "diameter_mm",
    "perpendicular_mm",
    "diameter_slice",
    "slice_spacing_mm",
    "measurable",
    "side",
    "mean_probability",
    "centroid_z",
    "centroid_y",
    "centroid_x",
    "touches_border",
    "surrounding_voxels",
    "surrounding_mm3",
    "target",
)

#: Digits behind the point where they are not two.
_DIGITS = {"volume_mm3": 1, "surrounding_mm3": 1, "mean_probability": 4}


def lesion_table_csv(lesions: Iterable[Lesion], target: str = "") -> str:
    r"""Write lesions as comma-separated text with a header line.

    Parameters
    ----------
    target : str
        What they are, such as a :class:`~metseg.lesions.Target`; empty if that is not known.

    Returns
    -------
    str
        One line a lesion, ended by ``\n``; slices and centroids are counted from 0; what is not known is left empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LESION_COLUMNS)
    for record in lesion_records(lesions, target):
        writer.writerow([_cell(name, value) for name, value in record.items()])
    return text.getvalue()


def lesion_records(lesions: Iterable[Lesion], target: str = "") -> list[dict[str, object]]:
    """Lesions as one dictionary each, with the keys :data:`LESION_COLUMNS`; what is not known is ``None``."""
    records: list[dict[str, object]] = []
    for lesion in lesions:
        other = {
            "lesion": lesion.id,
            "first_slice": lesion.slices[0],
            "last_slice": lesion.slices[1],
            "voxels": lesion.n_voxels,
            "side": None if lesion.side is None else str(lesion.side),
            **dict(zip(("centroid_z", "centroid_y", "centroid_x"), lesion.centroid, strict=True)),
            "target": str(target),
        }
        records.append({name: other[name] if name in other else getattr(lesion, name) for name in LESION_COLUMNS})
    return records


def _cell(name: str, value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{_DIGITS.get(name, 2)}f}"
    return value
