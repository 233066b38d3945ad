"""``metseg serve``: the same masks for whoever can send an image."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.options import Device, Model
from metseg.errors import MissingExtraError


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
) -> None:
    """Serve masks over HTTP until Ctrl-C or SIGTERM; requests that were accepted are answered first.

    The token that clients must send is read from METSEG_TOKEN; without one only this computer is served. Limits are
    set by other METSEG_ variables, see docs/server.md.
    """
    for package in ("fastapi", "uvicorn", "multipart", "prometheus_client", "pydantic_settings"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "server")
    from metseg.server.serving import serve as serve_until_told

    told = {"HOST": host, "PORT": str(port), "MODEL": model, "DEVICE": device}
    if project is not None:
        told["PROJECT"] = str(project)
    os.environ.update({f"METSEG_{name}": value for name, value in told.items()})
    serve_until_told(host, port)
