"""``metseg serve``: the same masks for whoever can send an image; ``metseg ui``: the page for the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.options import Device, Model
from metseg.errors import DataError, require_packages


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; all but this computer's own need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    project: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Project that 3D Slicer works on.", exists=True, file_okay=False),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            "--engine", envvar="METSEG_ENGINE", help="Where networks run: in this process, or in workers of Ray."
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="METSEG_WORKERS",
            min=1,
            help="Of --engine ray, at most: one for each GPU, else one a machine.",
        ),
    ] = None,
) -> None:
    """Serve masks over HTTP until Ctrl-C or SIGTERM; requests that were accepted are answered first.

    The token that clients must send is read from METSEG_TOKEN; without one only this computer is served. Limits are
    set by other METSEG_ variables, see docs/server.md.

    --engine ray keeps this process as it is and has studies outlined by workers of the Ray cluster that RAY_ADDRESS
    names, or of one on this computer; there are as many as the queue needs.
    """
    if workers is not None and engine != "ray":
        raise DataError("--workers goes with --engine ray")
    require_packages(("fastapi", "uvicorn", "multipart", "prometheus_client", "pydantic_settings"), "server")
    from metseg.server.serving import serve as run_server

    settings = {"HOST": host, "PORT": str(port), "MODEL": model, "DEVICE": device, "ENGINE": engine}
    if workers is not None:
        settings["WORKERS"] = str(workers)
    if project is not None:
        settings["PROJECT"] = str(project)
    os.environ.update({f"METSEG_{name}": value for name, value in settings.items()})
    run_server(host, port)


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
