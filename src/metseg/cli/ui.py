"""``metseg ui``: the page for the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.options import Model


def ui(
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A running metseg server; without one, one is started and stopped."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8501,
    host: Annotated[str, typer.Option(help="Address of the page; all but this computer's own need a token.")] = (
        "127.0.0.1"
    ),
    model: Model = DEFAULT_MODEL,
) -> None:
    """Open a page for the browser: upload a study, look at what a network outlines, download it.

    The server's token is read from METSEG_TOKEN. --model is for the server that is started; one at --server has its
    own.
    """
    from metseg.web import open_page

    open_page(server, host, port, model)
