"""``metseg compare``: models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import echo, err, out
from metseg.cli.options import Clahe, Data, Device, Labels, Rules, Sequences, data_of
from metseg.cli.progress import follow


def compare(
    data: Data,
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where report.html, report.md, scores.json go.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME_OR_PATH",
            help="A name that `metseg models` lists, a checkpoint, or a folder of cross-validation folds; may be "
            "repeated. The three networks and their ensemble unless given.",
            show_default=False,
        ),
    ] = None,
    patient: Annotated[list[str] | None, typer.Option(help="Only this patient; may be repeated.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also patients that a model was trained on; the report marks them.")
    ] = False,
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    clahe: Clahe = None,
    device: Device = "auto",
) -> None:
    """Measure models on the same patients and write a report to look at.

    Unless --patient or --all says otherwise these are the patients that none of the models was trained on. A folder
    of fold_0, fold_1, ... from `metseg train --fold` is one model: every patient is scored by the fold that never
    saw it.
    """
    from metseg.comparison import compare as run
    from metseg.comparison import find_entries, installed_entries
    from metseg.comparison.tables import agreement_table
    from metseg.training.dataset import masked_patients

    source = data_of(data, rules, labels, sequences)
    patients = sorted(masked_patients(source)) if all_ else patient
    entries = find_entries(model) if model else installed_entries()
    comparison = follow(run(entries, source, out_, patients=patients, device=device, clahe=clahe), "comparing")
    echo(out(), agreement_table(comparison).markdown())
    if comparison.verdict is not None:
        echo(out(), f"\n{comparison.verdict.sentence}")
    if comparison.trained_on:
        echo(err(), f"Trained on {len(comparison.trained_on)} of these patients, so their scores say little.")
    echo(err(), f"The report is {out_ / 'report.html'}")
