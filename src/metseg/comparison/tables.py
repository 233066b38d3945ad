"""The tables of a report, as words; the page and the Markdown file show the same ones."""

from __future__ import annotations

from dataclasses import dataclass

from metseg.comparison.result import Comparison, ModelResult
from metseg.comparison.surfaces import TOLERANCE
from metseg.metrics import DOUBTLESS, Interval, SizeClass

#: What cannot be measured.
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows.

    Attributes
    ----------
    caption : str
        What it shows.
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
        return f"{self.caption}\n\n" + "\n".join(f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in lines)


def agreement_table(comparison: Comparison) -> Table:
    """Overlap and outlines."""
    return Table(
        f"Agreement with the reference masks, over {comparison.patients} patients",
        (
            "Model",
            "Dice, mean",
            "95 % interval",
            "Dice, median",
            "Dice, worst",
            "IoU, mean",
            "HD95, median (px)",
            f"Surface Dice at {TOLERANCE:g} px, mean",
        ),
        [
            (
                model.name,
                number(model.summary.mean_dice),
                _interval(model.dice_interval),
                number(model.summary.median_dice),
                number(model.summary.worst_dice),
                number(model.summary.mean_iou),
                number(model.median_hd95, 1),
                number(model.mean_surface_dice),
            )
            for model in comparison.models
        ],
    )


def lesion_table(comparison: Comparison) -> Table:
    """Lesions found by size; a size of which there is neither a true nor a false lesion is left out."""
    classes = range(len(comparison.models[0].sizes))
    used = [c for c in classes if any(model.sizes[c].reference or model.sizes[c].false for model in comparison.models)]
    sizes = [comparison.models[0].sizes[c] for c in used]
    return Table(
        "Lesions found of those there are, and false ones, by equivalent diameter in pixels",
        ("Model", "All sizes", *(size_name(size) for size in sizes), "False per patient"),
        [
            (
                model.name,
                f"{number(model.summary.lesion_sensitivity)} ({_found_of_all(model)})",
                *(_found(model.sizes[c]) for c in used),
                number(model.summary.false_lesions_per_patient, 2),
            )
            for model in comparison.models
        ],
    )


def effort_table(comparison: Comparison) -> Table:
    """Calibration, time and size."""
    return Table(
        "Calibration over all voxels, and what a model costs",
        (
            "Model",
            "Network",
            "CLAHE",
            "Calibration error",
            f"Calibration error from {DOUBTLESS:.0%} on",
            "Brier score",
            "Time per slice (ms)",
            "Parameters (million)",
        ),
        [
            (
                model.name,
                model.title,
                model.clahe,
                number(model.reliability.ece, 4),
                number(model.reliability.ece_in_doubt),
                number(model.reliability.brier, 4),
                number(1000 * model.seconds_per_slice, 0),
                number(model.parameters / 1e6, 1),
            )
            for model in comparison.models
        ],
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


def size_name(size: SizeClass) -> str:
    """Bounds of a size class, in words short enough for a heading."""
    if size.smallest is None:
        return f"under {size.largest:g} px"
    if size.largest is None:
        return f"{size.smallest:g} px and more"
    return f"{size.smallest:g} to {size.largest:g} px"


def number(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` decimals, or a dash if it is ``nan``."""
    return NOTHING if value != value else f"{value:.{digits}f}"


def _interval(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval.known else NOTHING


def _found(size: SizeClass) -> str:
    false = f", {size.false} false" if size.false else ""
    if size.reference:
        return f"{size.found} of {size.reference}{false}"
    return f"no lesion{false}"


def _found_of_all(model: ModelResult) -> str:
    return f"{sum(size.found for size in model.sizes)} of {sum(size.reference for size in model.sizes)}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("*", "\\*")
