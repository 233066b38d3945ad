"""``metseg models``: which networks can be asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import echo, err, out, table
from metseg.cli.options import Server, sequences_of

if TYPE_CHECKING:
    from metseg.checkpoints import ModelInfo
    from metseg.study import Sequence


def models(
    sequences: Annotated[
        str | None,
        typer.Option(
            "--sequences",
            metavar="NAME,...",
            help="Say which of them fit a study with these sequences, and which --model auto takes.",
            show_default=False,
        ),
    ] = None,
    server: Server = None,
) -> None:
    """List the trained networks that --model knows by name: what they outline, on which sequences, and how well."""
    from metseg.checkpoints import list_models, misfit

    if server is None:
        found = list_models()
    else:
        from metseg.inference.remote import server_models

        found = server_models(server)
    if not found:
        echo(err(), "No model is installed; give --model a checkpoint file, or set METSEG_WEIGHTS to a folder of them.")
        return
    there = sequences_of(sequences)
    headings = ("name", "outlines", "sequences", "what it is", *(() if there is None else ("fits",)))
    listed = table(*headings, left=headings)
    listed.columns[0].no_wrap = True
    for column in listed.columns[1:]:
        column.overflow = "fold"
    for info in found:
        card = info.card
        about = ("", "", f"cannot be used: {info.problem}")
        if card is not None:
            about = (str(card.target), ", ".join(card.preprocessing.sequences), info.summary)
        fits = () if there is None else ("" if card is None else misfit(card, there) or "yes",)
        listed.add_row(info.name, *about, *fits)
    out().print(listed)
    if server is None:
        echo(out(), "\n" + "\n".join(f"{info.name}: {info.path}" for info in found))
    if there is not None:
        echo(out(), f"\n--model {DEFAULT_MODEL}: {_automatic(there, found)}")


def _automatic(sequences: tuple[Sequence, ...], found: list[ModelInfo]) -> str:
    from metseg.checkpoints import choose_models
    from metseg.errors import CheckpointError

    try:
        return ", ".join(choose_models(DEFAULT_MODEL, sequences, (), found))
    except CheckpointError as error:
        return str(error)
