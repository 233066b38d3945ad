"""``metseg export``: the approved cases of a project as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metseg.cli.console import out, plain
from metseg.cli.progress import follow


def export(
    project: Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")],
    out_: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="New or empty folder, or an export of this project.")
    ],
    layout: Annotated[
        Literal["pairs", "nnunet", "nifti", "coco"],
        typer.Option(help="<slice>.tif with <slice>_mask.tif, nnU-Net v2, NIfTI named as in BIDS, or COCO."),
    ] = "pairs",
    all_: Annotated[
        bool, typer.Option("--all", help="Also cases that are corrected or only predicted; rejected ones never.")
    ] = False,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help="Only this case; may be repeated.")
    ] = None,
    held_out: Annotated[float, typer.Option(help="Share of patients that are not for training.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides who is held out.")] = 0,
    patient: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="Its first group, in a case's name, names the patient; by default each case is of its own patient.",
        ),
    ] = "",
    licence: Annotated[str, typer.Option("--licence", metavar="TEXT", help="Licence of the data, for the card.")] = "",
) -> None:
    """Write the approved cases of a project as a data set: images, masks, manifest with provenance, card, split.

    The same command again finishes an export that was interrupted, and brings a finished one up to date. Cases that
    cannot be read are listed and make the exit status 1.
    """
    from metseg.curation import Project, Status
    from metseg.curation.export import Layout, exporting_project

    statuses = (Status.PREDICTED, Status.CORRECTED, Status.APPROVED) if all_ else (Status.APPROVED,)
    stream = exporting_project(
        Project.open(project),
        out_,
        layout=Layout(layout),
        cases=case,
        statuses=statuses,
        held_out=held_out,
        seed=seed,
        patient_pattern=patient,
        licence=licence,
    )
    done = follow(stream, "exporting")
    count = done.written + done.kept
    kept = f", {done.kept} of them there already" if done.kept else ""
    plain(out(), f"{count} case{'s' * (count != 1)} in {out_}{kept}")
    if done.left_out:
        raise typer.Exit(1)
