"""``metseg models``: which networks can be asked for by name."""

from __future__ import annotations

from metseg.cli.console import err, out, plain


def models() -> None:
    """List the trained networks that --model knows by name."""
    from rich.table import Table

    from metseg.checkpoints import list_models

    found = list_models()
    if not found:
        plain(
            err(), "No model is installed; give --model a checkpoint file, or set METSEG_WEIGHTS to a folder of them."
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "what it is", "file"):
        table.add_column(heading, overflow="fold")
    for info in found:
        table.add_row(info.name, info.card.summary if info.card else f"cannot be used: {info.problem}", str(info.path))
    out().print(table)
