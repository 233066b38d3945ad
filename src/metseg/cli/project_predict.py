"""``metseg project predict``: let a network propose masks for the cases of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import echo, leave_with, out
from metseg.cli.options import Clahe, Device, MinLesionVoxels, Server, TargetName, Threshold, targets_of
from metseg.cli.progress import follow
from metseg.cli.project import Folder
from metseg.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metseg.curation.state import Provenance
    from metseg.events import Event
    from metseg.inference import Segmentation


def predict(
    project: Folder,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME_OR_PATH",
            help="A name that `metseg models` lists, or a checkpoint; by default the network that the project has "
            f"promoted, or {DEFAULT_MODEL}.",
            show_default=False,
        ),
    ] = None,
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be repeated.")] = None,
    also_edited: Annotated[
        bool,
        typer.Option("--also-edited", help="Also cases that somebody has edited; what was drawn by hand stays."),
    ] = False,
    target: TargetName = None,
    device: Device = "auto",
    server: Server = None,
    threshold: Threshold = None,
    min_lesion_voxels: MinLesionVoxels = None,
    clahe: Clahe = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Slices per forward pass; `metastases` takes 32 or more.")] = 8,
) -> None:
    """Let a network outline the lesions of all cases that nobody has edited yet.

    What this network has predicted already, with the same settings, is not predicted again: a run that was broken off
    is finished by running it again. Approved and rejected cases are only touched if they are named with --case and
    --also-edited is given. Cases that fail are listed, and make the exit status 1.
    """
    from metseg.curation import Project
    from metseg.curation.predicting import PredictionOutcome, predicting_project, provenance_of
    from metseg.inference import Segmenters
    from metseg.study import Sequence, Study

    opened = Project.open(project)
    targets = targets_of(target)
    if len(targets) > 1:
        raise DataError("a case has one outline: give --target flair-abnormality or enhancing-lesion")
    promoted = opened.default_model
    named = model or (DEFAULT_MODEL if promoted is None else str(promoted.located(opened)))
    with Segmenters(named, targets, device=device, batch_size=batch_size, clahe=clahe, server=server) as segmenters:

        def propose(study: Study) -> Iterator[Event[Segmentation]]:
            (segmenter,) = segmenters.of(study.sequences)
            usual = segmenter.card.postprocessing
            return segmenter.stream(study, usual.adjusted(threshold=threshold, min_lesion_voxels=min_lesion_voxels))

        def made(sequences: tuple[Sequence, ...]) -> Provenance:
            (segmenter,) = segmenters.of(sequences)
            card = segmenter.card
            how = card.postprocessing.adjusted(threshold=threshold, min_lesion_voxels=min_lesion_voxels)
            return provenance_of(
                card.name,
                segmenter.sha256,
                card.preprocessing,
                how,
                card.target,
                clahe_average=card.inference.clahe_average,
            )

        stream = predicting_project(
            opened,
            propose,
            made,
            cases=case,
            also_edited=also_edited,
            also_finished=also_edited and bool(case),
        )
        done = follow(stream, "predicting")
    for outcome in PredictionOutcome:
        if count := done.count(outcome):
            hint = " (--also-edited)" if outcome is PredictionOutcome.EDITED else ""
            hint = " (name them with --case)" if outcome is PredictionOutcome.FINISHED else hint
            echo(out(), f"{count} case{'s' * (count != 1)} {outcome}{hint}")
    leave_with(done.refused)
