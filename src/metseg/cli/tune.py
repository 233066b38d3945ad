"""``metseg tune``: better settings for ``metseg train``, found on inner folds of patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from metseg.cli.console import echo, out
from metseg.cli.options import Data, Device, Labels, Rules, data_of
from metseg.cli.progress import follow
from metseg.cli.recipe import Architecture, ConfigFile, training_config

if TYPE_CHECKING:
    from metseg.training import TuningResult


def tune(
    data: Data,
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where record, table and best.json go.")],
    model: Architecture = None,
    config: ConfigFile = None,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try; the first are those of --config.")] = 10,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each training.")] = 3,
    steps_per_epoch: Annotated[int, typer.Option(min=1, help="Steps of an epoch.")] = 20,
    folds: Annotated[int, typer.Option(min=2, help="Inner folds; each trial trains a network for each.")] = 2,
    patients: Annotated[int, typer.Option(min=0, help="Patients to search on, drawn at random; 0 takes all.")] = 20,
    seed: Annotated[int, typer.Option(help="Decides patients, folds and what is tried.")] = 0,
    rules: Rules = None,
    labels: Labels = None,
    device: Device = "auto",
) -> None:
    """Search for settings that outline unseen patients better, with Optuna.

    Learning rates, losses, augmentation, missing sequences, crop, share of lesion slices and threshold are varied
    around --config, or around the defaults of --model. --out receives best.json, which `metseg train --config` takes,
    and trials.csv. The same command again goes on where it stopped; with more --trials it goes further.
    """
    from metseg.training import TuningConfig, keep_freed_memory
    from metseg.training import tune as run

    base = training_config(file=config, architecture=model)
    search = TuningConfig(
        trials=trials,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        folds=folds,
        patients=patients or None,
        seed=seed,
    )
    keep_freed_memory()
    result = follow(run(base, data_of(data, rules, labels), out_, search=search, device=device), "tuning")
    out().print(_table(result))
    echo(out(), str(result.file))


def _table(result: TuningResult) -> Table:
    settings = list(result.winner.settings)
    table = Table("trial", "state", "Dice", "threshold", *(name.replace("_", " ") for name in settings), box=None)
    for row in result.trials:
        cells = [
            str(row.number),
            row.state,
            _number(row.dice),
            _number(row.threshold),
            *(_number(row.settings[name]) for name in settings),
        ]
        table.add_row(*cells, style="bold" if row == result.winner else "")
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
