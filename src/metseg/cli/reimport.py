"""``metseg import``: an export becomes cases of a project again, and correcting goes on where it stood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import err, out, plain
from metseg.cli.progress import follow
from metseg.cli.project import Annotator, Folder


def reimport(
    project: Folder,
    folder: Annotated[Path, typer.Option("--from", metavar="DIR", help="Folder that `metseg export` wrote.")],
    annotator: Annotator = "",
) -> None:
    """Take an export back into a project, which is made if there is none: the same labels, lesions and status.

    Cases that the project has already are left as they are if they went through the exported state. Cases with other
    labels of their own are left alone and listed, and make the exit status 1. An export that differs from its
    manifest is refused.
    """
    from metseg.curation import Project
    from metseg.curation.export import importing_export, read_manifest

    read_manifest(folder)
    opened = Project.open(project) if (project / "project.json").exists() else Project.create(project)
    done = follow(importing_export(opened, folder, annotator=annotator), "importing")
    there = f", {len(done.there)} there already" if done.there else ""
    plain(out(), f"{len(done.taken)} case{'s' * (len(done.taken) != 1)} taken over into {project}{there}")
    if done.left_out:
        plain(err(), "Left alone because they have other labels in the project:", "bold")
        for name in done.left_out:
            plain(err(), f"  {name}")
        raise typer.Exit(1)
