"""The command tree, and what errors look like from a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from metseg import __version__
from metseg.cli import project
from metseg.cli.calibrate import calibrate
from metseg.cli.combine import combine
from metseg.cli.compare import compare
from metseg.cli.console import complain
from metseg.cli.deidentify import deidentify
from metseg.cli.demo import demo
from metseg.cli.evaluate import evaluate
from metseg.cli.export import export, export_model, reimport, verify
from metseg.cli.follow import follow
from metseg.cli.inspect import inspect
from metseg.cli.models import models
from metseg.cli.predict import predict
from metseg.cli.project_predict import predict as predict_project
from metseg.cli.retrain import promote, retrain
from metseg.cli.serve import serve, ui
from metseg.cli.simulate import simulate
from metseg.cli.train import train
from metseg.cli.tune import tune
from metseg.errors import MetsegError


def _unwrapped(text: str) -> str:
    """Docstring as paragraphs, so that the terminal decides where lines end."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


app = typer.Typer(
    name="metseg",
    help="Outline lesions in brain MRI, check every outline by hand in napari, train on what was checked.\n\n"
    "For research. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    predict, follow, train, tune, evaluate, compare, calibrate, combine, simulate, export, export_model, verify, models,
    inspect, demo, serve, ui, retrain, deidentify,
)  # fmt: skip
for command in _COMMANDS:
    app.command(help=_unwrapped(command.__doc__ or ""))(command)
app.command("import", help=_unwrapped(reimport.__doc__ or ""))(reimport)

project_app = typer.Typer(
    name="project", help="Cases that are corrected one after the other, without a window.", no_args_is_help=True
)
for step in (
    project.create,
    predict_project,
    project.queue,
    project.approve,
    project.reject,
    project.reopen,
    project.status,
    project.save,
    promote,
):
    project_app.command(help=_unwrapped(step.__doc__ or ""))(step)
project_app.command("adopt", hidden=True)(promote)  # its former name
app.add_typer(project_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"metseg {__version__}")
        raise typer.Exit


@app.callback()
def metseg(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Hold what all subcommands share."""


def main() -> None:
    """Run the command line and leave with its exit status.

    0 all went well; 1 some files were refused and are listed; 2 nothing could be done, and why is said in one
    line; 130 interrupted.
    """
    try:
        app(prog_name="metseg")
    except (MetsegError, OSError) as error:
        complain(str(error))
        sys.exit(2)
