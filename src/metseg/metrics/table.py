"""Summaries as a plain-text table."""

from __future__ import annotations

from collections.abc import Mapping

from metseg.metrics.scores import Summary
from metseg.metrics.statistics import Interval

_ROWS = {
    "patients": "patients",
    "scans": "scans",
    "mean_dice": "Dice per patient, mean",
    "median_dice": "Dice per patient, median",
    "worst_dice": "Dice per patient, worst",
    "mean_slice_dice": "Dice per lesion slice, mean",
    "median_slice_dice": "Dice per lesion slice, median",
    "mean_iou": "IoU per patient, mean",
    "median_iou": "IoU per patient, median",
    "mean_precision": "precision, mean",
    "mean_recall": "recall, mean",
    "sensitivity": "lesions found, by patient",
    "false_positives_per_scan": "false positives per scan",
    "lesion_dice": "lesion-wise Dice",
    "lesion_hd95": "lesion-wise HD95",
    "false_positive_slices": "empty slices marked, share",
    "ece": "calibration error near lesions",
    "brier": "Brier score near lesions",
}


def as_table(summaries: Mapping[str, Summary]) -> str:
    """One row a score with its 95 % interval, then one row a size of lesions; one column a setting."""
    columns = [_column(summary) for summary in summaries.values()]
    titles = list(dict.fromkeys(title for column in columns for title in column))
    width = max(map(len, [*_ROWS.values(), *titles]))
    cells = [
        [name, *(column.get(title, "–") for title in titles)] for name, column in zip(summaries, columns, strict=True)
    ]
    widths = [max(6, *map(len, column)) for column in cells]
    return "\n".join(
        f"{title:<{width}}" + "".join(f"  {column[row]:>{size}}" for column, size in zip(cells, widths, strict=True))
        for row, title in enumerate(["", *titles])
    )


def with_interval(value: float, interval: Interval | None, digits: int = 3) -> str:
    """``value``, and its interval in brackets where that is known; a dash if there is no value."""
    if value != value:
        return "–"
    bounds = f" [{interval.low:.{digits}f}, {interval.high:.{digits}f}]" if interval and interval.known else ""
    return f"{value:.{digits}f}{bounds}"


def _column(summary: Summary) -> dict[str, str]:
    column = {
        title: with_interval(
            getattr(summary, key), summary.intervals.get(key), 0 if key in ("patients", "scans") else 3
        )
        for key, title in _ROWS.items()
    }
    if summary.lesion_hd95 == summary.lesion_hd95:
        column[_ROWS["lesion_hd95"]] += f" {summary.unit}"
    for size in summary.sizes:
        share = with_interval(size.sensitivity, size.interval)
        column[f"found, {size.name}"] = f"{share} {size.found}/{size.reference}" if size.reference else share
    return column
