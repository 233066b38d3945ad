"""``metseg evaluate``: scores on patients with known masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import echo, err, out
from metseg.cli.options import (
    Clahe,
    Data,
    Device,
    Labels,
    MinLesionVoxels,
    Model,
    Rules,
    Sequences,
    TargetName,
    Threshold,
    data_of,
    targets_of,
)
from metseg.cli.progress import follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.checkpoints import Checkpoint
    from metseg.lesions import Target
    from metseg.training.dataset import Folders

_PICTURES = (".png", ".svg", ".pdf")


def evaluate(
    data: Data,
    model: Model = DEFAULT_MODEL,
    target: TargetName = None,
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all scores here.")] = None,
    froc: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw lesions found against false positives by threshold (png, svg, pdf)."),
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the patients that the model's card names as held out.")
    ] = False,
    patient: Annotated[list[str] | None, typer.Option(help="Only this patient; may be repeated.")] = None,
    flair_alone: Annotated[
        bool, typer.Option("--flair-alone/--no-flair-alone", help="Also measure with FLAIR as the only sequence.")
    ] = True,
    threshold: Threshold = None,
    min_lesion_voxels: MinLesionVoxels = None,
    clahe: Clahe = None,
    device: Device = "auto",
) -> None:
    """Score a model by patient, with 95 % intervals: Dice, lesions found by size, false positives, calibration.

    All patients are scored with one network. auto takes it by the sequences of the first patient, or by --target.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.metrics import as_table, draw_froc
    from metseg.study import write_atomically, write_text
    from metseg.training import evaluate as run

    if froc is not None and froc.suffix.lower() not in _PICTURES:
        raise DataError(f"{froc}: a picture ends in {', '.join(_PICTURES)}")

    source = data_of(data, rules, labels, sequences)
    checkpoint = load_checkpoint(_chosen(model, source, targets_of(target))).with_clahe(clahe)
    events = run(
        checkpoint,
        source,
        patients=_held_out(checkpoint, source) if held_out else patient,
        device=device,
        postprocessing=checkpoint.card.postprocessing.adjusted(
            threshold=threshold, min_lesion_voxels=min_lesion_voxels
        ),
        flair_alone=flair_alone,
    )
    evaluation = follow(events, f"evaluating {checkpoint.card.name}")
    title = f"{evaluation.model}: {checkpoint.card.target}, CLAHE {evaluation.clahe}"
    echo(out(), f"{title}\n{as_table(evaluation.summaries)}")
    if froc is not None:
        with write_atomically(froc) as temporary:
            draw_froc(temporary, evaluation.summaries)
    if json is not None:
        write_text(json, evaluation.model_dump_json(indent=2) + "\n")
    if evaluation.seen:
        echo(
            err(),
            f"Trained on {len(evaluation.seen)} of these patients, so these scores say little about new ones; "
            "--held-out leaves them away.",
        )


def _chosen(model: str, data: Folders, targets: tuple[Target, ...]) -> str:
    """The network to score: ``auto`` chooses by the sequences of the first patient with masks that can be read.

    DataError if there is none, or two targets are asked for: the masks are of one.
    """
    from metseg.checkpoints import choose_models
    from metseg.study import load
    from metseg.training.dataset import masked_patients

    if len(targets) > 1:
        raise DataError("the masks are of one target: give --target flair-abnormality or enhancing-lesion")
    if model != DEFAULT_MODEL:
        return choose_models(model, (), targets)[0]
    for patient in masked_patients(data).values():
        for study in (study for files in patient for study in load(files).studies):
            name = choose_models(model, study.sequences, targets)[0]
            echo(err(), f"--model {model}: {name}, by the sequences of {study.name} ({', '.join(study.sequences)})")
            return name
    raise DataError(f"{data}: none of the patients with masks can be read")


def _held_out(checkpoint: Checkpoint, data: Folders) -> list[str]:
    """Patients in ``data`` whom the model never saw, by its card; DataError if there is none."""
    from metseg.training.dataset import masked_patients

    names = sorted(masked_patients(data).keys() & set(checkpoint.card.training.held_out))
    if not names:
        raise DataError(f"{data}: none of the patients held out from {checkpoint.card.name} is here")
    return names
