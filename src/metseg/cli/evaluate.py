"""``metseg evaluate``: scores on patients with known masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg.cli.console import err, out, plain
from metseg.cli.options import Clahe, Data, Device, Model, Smallest, Threshold, postprocessing_of
from metseg.cli.progress import follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.checkpoints import Checkpoint


def evaluate(
    model: Model,
    data: Data,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all scores here.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the patients that the model's card names as held out.")
    ] = False,
    patient: Annotated[list[str] | None, typer.Option(help="Only this patient; may be repeated.")] = None,
    flair_alone: Annotated[
        bool, typer.Option("--flair-alone/--no-flair-alone", help="Also measure with FLAIR as the only sequence.")
    ] = True,
    threshold: Threshold = None,
    smallest: Smallest = None,
    clahe: Clahe = None,
    device: Device = "auto",
) -> None:
    """Score a model per patient, per slice and per lesion, with all sequences and with FLAIR alone."""
    from metseg.checkpoints import load_checkpoint
    from metseg.metrics import as_table
    from metseg.training import evaluate as run

    checkpoint = load_checkpoint(model).with_clahe(clahe)
    events = run(
        checkpoint,
        data,
        patients=_held_out(checkpoint, data) if held_out else patient,
        device=device,
        postprocessing=postprocessing_of(checkpoint, threshold, smallest),
        flair_alone=flair_alone,
    )
    evaluation = follow(events, f"evaluating {checkpoint.card.name}")
    plain(out(), f"{evaluation.model}, CLAHE {evaluation.clahe}\n{as_table(evaluation.summaries)}")
    if json is not None:
        from metseg.study import write_atomically

        with write_atomically(json) as temporary:
            temporary.write_text(evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if evaluation.seen:
        plain(
            err(),
            f"Trained on {len(evaluation.seen)} of these patients, so these scores say little about new ones; "
            "--held-out leaves them away.",
        )


def _held_out(checkpoint: Checkpoint, data: Path) -> list[str]:
    """Patients in ``data`` whom the model never saw, by its card.

    Raises
    ------
    DataError
        If there is none.
    """
    from metseg.study import find_studies

    there = {files.name for files in find_studies(data)}
    names = sorted(there & set(checkpoint.card.training.held_out))
    if not names:
        raise DataError(f"{data}: none of the patients held out from {checkpoint.card.name} is here")
    return names
