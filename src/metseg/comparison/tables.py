"""The tables of a report, as text; the page and the Markdown file show the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metseg.comparison.result import Comparison, ModelResult
from metseg.comparison.surfaces import TOLERANCE
from metseg.metrics import DOUBTLESS, SizeClass, with_interval

#: What cannot be measured.
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows.

    Attributes
    ----------
    headings : tuple of str
        One a column.
    rows : list of tuple of str
        As long as ``headings``.
    """

    caption: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """As Markdown, the caption as a paragraph before it."""
        lines = [self.headings, ("---",) + ("---:",) * (len(self.headings) - 1), *self.rows]
        escaped = str.maketrans({"|": "\\|", "*": "\\*"})
        rows = [" | ".join(cell.translate(escaped) for cell in row) for row in lines]
        return f"{self.caption}\n\n" + "\n".join(f"| {row} |" for row in rows)


def agreement_table(comparison: Comparison) -> Table:
    """Overlap and outlines."""
    return _by_model(
        f"Agreement with the reference masks, over {comparison.patients} patients",
        comparison,
        {
            "Dice, mean": lambda model: _mean(model, "mean_dice"),
            "Dice, median": lambda model: number(model.summary.median_dice),
            "Dice, worst": lambda model: number(model.summary.worst_dice),
            "IoU, mean": lambda model: number(model.summary.mean_iou),
            "HD95, median (px)": lambda model: number(model.median_hd95, 1),
            f"Surface Dice at {TOLERANCE:g} px, mean": lambda model: number(model.mean_surface_dice),
        },
    )


def lesion_table(comparison: Comparison) -> Table:
    """How many lesions were found, how many predicted ones are none, and how well each was outlined."""
    return _by_model(
        "Lesions found and false positives, means over patients with 95 % intervals",
        comparison,
        {
            "Lesions found": lambda model: _mean(model, "sensitivity"),
            "False positives per scan": lambda model: _mean(model, "false_positives_per_scan", 2),
            "Lesion-wise Dice": lambda model: _mean(model, "lesion_dice"),
            "Lesion-wise HD95": lambda model: f"{_mean(model, 'lesion_hd95', 0)} {model.summary.unit}",
        },
    )


def size_table(comparison: Comparison) -> Table:
    """Lesions found by size; a size of which there is neither a true lesion nor a false positive is left out."""
    classes = range(len(comparison.models[0].summary.sizes))
    by_class = {c: [model.summary.sizes[c] for model in comparison.models] for c in classes}
    used = {c: rows for c, rows in by_class.items() if any(row.reference or row.false for row in rows)}
    return Table(
        "Lesions found by size: mean over patients, of all lesions, false positives",
        ("Model", *(rows[0].name for rows in used.values())),
        [
            (model.name, *(_found(rows[index]) for rows in used.values()))
            for index, model in enumerate(comparison.models)
        ],
    )


def effort_table(comparison: Comparison) -> Table:
    """Calibration, time and size."""
    return _by_model(
        "Calibration over voxels near lesions, and what a model costs",
        comparison,
        {
            "Network": lambda model: model.title,
            "CLAHE": lambda model: model.clahe,
            "Calibration error": lambda model: _mean(model, "ece"),
            f"Calibration error from {DOUBTLESS:.0%} on": lambda model: number(model.summary.reliability.ece_in_doubt),
            "Brier score": lambda model: _mean(model, "brier"),
            "Time per slice (ms)": lambda model: number(1000 * model.seconds_per_slice, 0),
            "Parameters (million)": lambda model: number(model.parameters / 1e6, 1),
        },
    )


def patient_table(comparison: Comparison) -> Table:
    """Dice of every patient; an asterisk where the model was trained on the patient."""
    columns = [
        [
            number(score.dice) + ("*" if patient.trained_on else "")
            for score, patient in zip(model.summary.scores, model.patients, strict=True)
        ]
        for model in comparison.models
    ]
    names = [patient.name for patient in comparison.models[0].patients]
    marked = "; * the model was trained on this patient" if comparison.trained_on else ""
    return Table(
        f"Dice of every patient{marked}",
        ("Patient", *(model.name for model in comparison.models)),
        list(zip(names, *columns, strict=True)),
    )


def number(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals, or a dash if it is ``nan``."""
    return NOTHING if value != value else f"{value:.{digits}f}"


def _by_model(caption: str, comparison: Comparison, columns: dict[str, Callable[[ModelResult], str]]) -> Table:
    rows = [(model.name, *(cell(model) for cell in columns.values())) for model in comparison.models]
    return Table(caption, ("Model", *columns), rows)


def _mean(model: ModelResult, key: str, digits: int = 3) -> str:
    return with_interval(getattr(model.summary, key), model.summary.intervals.get(key), digits)


def _found(size: SizeClass) -> str:
    false = f", {size.false} false" if size.false else ""
    if not size.reference:
        return f"no lesion{false}"
    return f"{with_interval(size.sensitivity, size.interval, 2)}, {size.found} of {size.reference}{false}"
