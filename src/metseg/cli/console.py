"""Where words go: results to standard output, everything said on the way to standard error."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from metseg.study import Problem


_PIPE_WIDTH = 200


def out() -> Console:
    """Standard output; tables are not squeezed into 80 columns where no terminal asks for it."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def echo(console: Console, text: str, style: str = "") -> None:
    """Print ``text`` as it is: paths are neither wrapped nor read as markup."""
    console.print(Text(text, style=style), soft_wrap=True)


def complain(text: str) -> None:
    """Say why nothing could be done."""
    console = err()
    echo(console, f"metseg: {text}", "bold red" if console.is_terminal else "")


def list_problems(title: str, problems: Iterable[Problem | str]) -> None:
    """List files by name with what is wrong with each, on standard error."""
    console = err()
    echo(console, title, "bold")
    for problem in problems:
        echo(console, f"  {problem}")


def leave_with(refused: Iterable[Problem | str], title: str = "Refused:") -> None:
    """List what was refused, if anything was, and leave with exit status 1 then."""
    if listed := list(refused):
        list_problems(title, listed)
        raise typer.Exit(1)


def table(*headings: str, left: Collection[str] = ()) -> Table:
    """A table without lines: numbers to the right, the columns of ``left`` to the left."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, justify="left" if heading in left else "right")
    return made
