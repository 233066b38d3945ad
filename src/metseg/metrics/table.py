"""Summaries as a plain-text table."""

from __future__ import annotations

from collections.abc import Mapping

from metseg.metrics.scores import Summary

_ROWS = {
    "patients": "patients",
    "mean_dice": "Dice per patient, mean",
    "median_dice": "Dice per patient, median",
    "worst_dice": "Dice per patient, worst",
    "mean_slice_dice": "Dice per lesion slice, mean",
    "median_slice_dice": "Dice per lesion slice, median",
    "mean_iou": "IoU per patient, mean",
    "median_iou": "IoU per patient, median",
    "mean_precision": "precision, mean",
    "mean_recall": "recall, mean",
    "lesion_sensitivity": "lesions found, share",
    "false_lesions_per_patient": "false lesions per patient",
    "false_positive_slices": "empty slices with a false lesion, share",
}


def as_table(summaries: Mapping[str, Summary]) -> str:
    """One row a score, one column a setting."""
    width = max(map(len, _ROWS.values()))
    columns = [max(len(setting), 6) for setting in summaries]
    lines = [" " * width + "".join(f"  {name:>{size}}" for name, size in zip(summaries, columns, strict=True))]
    for key, title in _ROWS.items():
        cells = [_cell(getattr(summary, key)) for summary in summaries.values()]
        lines.append(f"{title:<{width}}" + "".join(f"  {cell:>{n}}" for cell, n in zip(cells, columns, strict=True)))
    return "\n".join(lines)


def _cell(value: float) -> str:
    if value != value:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
