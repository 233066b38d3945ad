"""``metseg verify``: whether an export is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import out, plain
from metseg.cli.progress import follow


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `metseg export` wrote.")],
) -> None:
    """Hash every file of an export again and name those that are missing, changed, or not in its manifest.

    The exit status is 1 if there are any.
    """
    from metseg.curation.export import verifying

    found = follow(verifying(folder), "verifying")
    for what, paths in (("missing", found.missing), ("changed", found.changed), ("extra", found.extra)):
        for path in paths:
            plain(out(), f"{what}  {path}")
    if not found.sound:
        raise typer.Exit(1)
    plain(out(), f"{found.files} files as they were written")
