"""``metseg combine``: several models into one that averages them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import echo, err, out


def combine(
    model: Annotated[
        list[str], typer.Option("--model", metavar="NAME_OR_PATH", help="A member; give two or more. Repeat for each.")
    ],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result goes; its name.")],
    by_name: Annotated[
        bool,
        typer.Option(
            "--by-name", help="Name the members instead of copying their weights; they must lie beside --out."
        ),
    ] = False,
    weights: Annotated[
        bool,
        typer.Option(
            "--weights", help="Average the weights, into one network: for networks trained on from the same weights."
        ),
    ] = False,
) -> None:
    """Combine networks into one: the mean of their probabilities, or with --weights of their weights.

    All must share one preprocessing, for --weights one architecture, too. The result is a model like any other: --model
    takes it.
    """
    from metseg.checkpoints import (
        average_weights,
        descend_from_each_other,
        load_checkpoint,
        save_checkpoint,
        save_ensemble,
    )
    from metseg.checkpoints import combine as run

    if weights and by_name:
        raise typer.BadParameter("weights that are averaged cannot be named instead of copied", param_hint="--by-name")
    members = [load_checkpoint(name) for name in model]
    if weights:
        echo(out(), str(save_checkpoint(out_, *average_weights(members, out_.resolve().name))))
        if not descend_from_each_other(members):
            echo(
                err(),
                "the cards do not say that these were trained on from the same weights; if not, the mean is of no use",
            )
        return
    network, card = run(members, out_.resolve().name)
    echo(out(), str(save_ensemble(out_, members, card) if by_name else save_checkpoint(out_, network, card)))
