"""``metseg calibrate``: probabilities that mean what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import echo, out
from metseg.cli.options import Data, Device, Labels, Model, Rules, Sequences, data_of
from metseg.cli.progress import follow


def calibrate(
    model: Model,
    data: Data,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the same recipe's fold_0, fold_1, …, each of which speaks for the patients that it held "
            "out. For an ensemble one for each member.",
            show_default=False,
        ),
    ] = None,
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    device: Device = "auto",
) -> None:
    """Fit a temperature on held-out patients, by Brier score, and write it into the model's card.

    Held out are the patients whom the card names so; a model trained on all patients needs --runs. The mask at
    threshold 0.5 stays the same; probabilities, and what is flagged as doubtful, change.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.training import calibrate as run
    from metseg.training import write_temperature

    checkpoint = load_checkpoint(model)
    result = follow(
        run(checkpoint, data_of(data, rules, labels, sequences), runs=runs or (), device=device),
        f"calibrating {checkpoint.card.name}",
    )
    rows = [
        ("negative log-likelihood per voxel", result.nll_before, result.nll_after),
        ("expected calibration error, all voxels", result.before.ece, result.after.ece),
        ("expected calibration error, voxels in doubt", result.before.ece_in_doubt, result.after.ece_in_doubt),
        ("Brier score", result.before.brier, result.after.brier),
    ]
    width = max(len(name) for name, _, _ in rows)
    echo(out(), f"Temperature {result.temperature} from {len(result.patients)} patients, {result.voxels:,} voxels")
    echo(out(), f"{'':{width}}  {'before':>8}  {'after':>8}")
    for name, before, after in rows:
        echo(out(), f"{name:{width}}  {before:8.5f}  {after:8.5f}")
    echo(out(), str(write_temperature(checkpoint, result)))
