"""A comparison as a page, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metseg.comparison.figures import SERIES, dice_chart, froc_chart, learning_chart, overlay, reliability_chart
from metseg.comparison.measurement import Picture
from metseg.comparison.result import Comparison
from metseg.comparison.tables import agreement_table, effort_table, lesion_table, patient_table, size_table
from metseg.study import write_text

RESEARCH_USE = "For research. Not a medical device; every outline must be checked by a person."

_TABLES = (agreement_table, lesion_table, size_table, effort_table, patient_table)
_CHARTS = (dice_chart, froc_chart, reliability_chart, learning_chart)
_RANKS = ("Best", "Median", "Worst")


def write_report(out: Path, comparison: Comparison, pictures: Sequence[Sequence[Picture]]) -> None:
    """Write ``report.html``, ``report.md`` and ``scores.json`` into ``out``, with the pictures of each model."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "report.html", _html(comparison, pictures))
    write_text(out / "report.md", _markdown(comparison))
    write_text(out / "scores.json", comparison.model_dump_json(indent=2) + "\n")


def _html(comparison: Comparison, pictures: Sequence[Sequence[Picture]]) -> str:
    """One page with everything in it: it loads nothing from the network or the disk."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        comparison=comparison,
        banner=RESEARCH_USE,
        whose=_whose(comparison),
        **{made.__name__: made(comparison) for made in (*_TABLES, *_CHARTS)},
        pictures=[
            (model, [(_rank(index, row), picture, overlay(picture)) for index, picture in enumerate(row)])
            for model, row in zip(comparison.models, pictures, strict=True)
        ],
        series=SERIES,
    )


def _markdown(comparison: Comparison) -> str:
    """The tables and the verdict."""
    parts = [
        "# Model comparison",
        RESEARCH_USE,
        f"{_whose(comparison)} {comparison.created}, {comparison.device}.",
        *([comparison.verdict.sentence] if comparison.verdict else []),
        *(table(comparison).markdown() for table in _TABLES),
    ]
    return "\n\n".join(parts) + "\n"


def _whose(comparison: Comparison) -> str:
    """A sentence about the patients: how many, and whether a model was trained on some."""
    number = f"{comparison.patients} patient{'' if comparison.patients == 1 else 's'}"
    if not comparison.trained_on:
        return f"{number}, each scored by weights that were never trained on that patient."
    return (
        f"{number}. On {len(comparison.trained_on)} of them a model was trained, so its scores there measure memory: "
        "they say little about new patients."
    )


def _rank(index: int, row: Sequence[Picture]) -> str:
    return _RANKS[index] if len(row) == len(_RANKS) else f"Patient {index + 1}"
