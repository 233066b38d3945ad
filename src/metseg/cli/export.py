"""``metseg export``, ``verify``, ``import``: approved cases as a data set, and back; ``export-model``: a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metseg.cli.console import echo, leave_with, out
from metseg.cli.progress import follow
from metseg.cli.project import Annotator, Folder


def export(
    project: Folder,
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
    echo(out(), f"{count} case{'s' * (count != 1)} in {out_}{kept}")
    if done.left_out:
        raise typer.Exit(1)


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
            echo(out(), f"{what}  {path}")
    if not found.sound:
        raise typer.Exit(1)
    echo(out(), f"{found.files} files as they were written")


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
    echo(out(), f"{len(done.taken)} case{'s' * (len(done.taken) != 1)} taken over into {project}{there}")
    leave_with(done.left_out, "Left alone because they have other labels in the project:")


def export_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name that `metseg models` lists, or a checkpoint.")],
    to: Annotated[Literal["onnx", "openvino"], typer.Option("--to", help="What will run it.")],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")],
) -> None:
    """Write a network as ONNX or OpenVINO, with a description of what comes before and after it.

    The file is compared with PyTorch on synthetic heads first; one that answers otherwise is not written. An ensemble
    becomes one network. README.md and network.json say sequences, normalisation, size and channels of the input,
    threshold and peak, target, licence and hashes; example.npz has images with the probabilities to expect.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.inference.model_export import exporting

    echo(out(), str(follow(exporting(load_checkpoint(model), to, out_), "converting")))
