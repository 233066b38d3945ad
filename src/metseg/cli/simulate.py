"""``metseg simulate``: real heads with simulated metastases, to be kept or to be looked for by a model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metseg.cli.console import echo, err, out
from metseg.cli.options import Data, Device, Labels, MinLesionVoxels, Rules, Sequences, Threshold, data_of
from metseg.cli.progress import EventBar, follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from metseg.events import Event
    from metseg.training import SimulatedHead, SimulationScore
    from metseg.training.dataset import Folders

TABLE = "lesions.csv"
_COLUMNS = (
    "patient",
    "lesion",
    "kind",
    "diameter_mm",
    "oedema_mm",
    "z",
    "y",
    "x",
    "first_slice",
    "last_slice",
    "voxels",
    "slice_distance_mm",
    "pixel_mm",
)
_SAYS = "Simulated lesions: nothing here says how a model fares with real metastases."


def simulate(
    data: Data,
    out_: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write the heads here, as --data has them.", show_default=False),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            "--score",
            metavar="NAME_OR_PATH",
            help="Let this model look for the lesions: a name, a checkpoint, or the folder of a cross-validation.",
            show_default=False,
        ),
    ] = None,
    patient: Annotated[list[str] | None, typer.Option(help="Only this patient; may be repeated.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Score patients too that the model was trained on.", show_default=False)
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Decides every lesion, with the patient's name.")] = 0,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the scores here.")] = None,
    threshold: Threshold = None,
    min_lesion_voxels: MinLesionVoxels = None,
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    device: Device = "auto",
) -> None:
    """Draw simulated metastases into real heads, 2 to 20 mm across at a pixel of 1 mm.

    With --out the heads are written as pairs of image and mask, with lesions.csv beside them (centres and slices in
    voxels from 0). With --score a model looks for them in the patients that it never saw; the share that it finds by
    diameter is printed, with the false positives per head.
    """
    if out_ is None and score is None:
        raise DataError(
            "choose --out DIR to write the heads, --score MODEL to let a model look for the lesions, or both"
        )
    if json is not None and score is None:
        raise DataError("--json writes scores; choose a model with --score")
    source = data_of(data, rules, labels, sequences)
    if out_ is not None:
        if out_.resolve().is_relative_to(data.resolve()):
            raise DataError(
                f"{out_} lies inside {data}, where the heads would be taken for patients; choose another --out"
            )
        _write(source, out_, patient, seed)
    if score is not None:
        settings = {"threshold": threshold, "min_lesion_voxels": min_lesion_voxels}
        result = _score(score, source, patient, every=every, seed=seed, device=device, settings=settings)
        echo(out(), f"{result.model}\n{result.as_table()}")
        echo(err(), _SAYS)
        if json is not None:
            from metseg.study import write_text

            write_text(json, result.model_dump_json(indent=2) + "\n")


def _write(data: Folders, target: Path, patients: list[str] | None, seed: int) -> None:
    if (target / TABLE).exists():
        raise DataError(f"{target / TABLE} exists already; choose another --out")
    rows = follow(_written(data, target, patients, seed), "drawing lesions")
    echo(out(), f"{len(rows)} lesions in {len({row[0] for row in rows})} heads, listed in {target / TABLE}")


def _written(
    data: Folders, target: Path, patients: Iterable[str] | None, seed: int
) -> Generator[Event[list[tuple[object, ...]]], None, None]:
    from metseg.curation import export_pairs
    from metseg.events import Finished
    from metseg.study import write_atomically
    from metseg.training import SimulatedHead, simulate_heads

    rows: list[tuple[object, ...]] = []
    for event in simulate_heads(data, patients, seed=seed):
        if not isinstance(event, SimulatedHead):
            yield event
            continue
        mask = event.insertion.study.mask
        if mask is not None:
            export_pairs(event.insertion.study, mask, target, z=event.z)
        rows += _rows(event)
    target.mkdir(parents=True, exist_ok=True)
    with write_atomically(target / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_COLUMNS, *rows])
    yield Finished(rows)


def _rows(head: SimulatedHead) -> list[tuple[object, ...]]:
    distance, row, column = head.insertion.spacing
    return [
        (
            head.original.name,
            lesion.label,
            lesion.spec.kind,
            round(lesion.diameter, 2),
            round(lesion.spec.oedema, 2),
            *(round(position, 2) for position in lesion.spec.centre),
            *lesion.slices,
            lesion.voxels,
            round(distance, 3),
            round((row + column) / 2, 3),
        )
        for lesion in head.insertion.lesions
    ]


def _score(
    model: str,
    data: Folders,
    patients: list[str] | None,
    *,
    every: bool,
    seed: int,
    device: str,
    settings: dict[str, Any],
) -> SimulationScore:
    """The score of a model, or of the folds of a cross-validation, each on the patients it never saw."""
    from metseg.checkpoints import load_checkpoint
    from metseg.comparison import find_entries
    from metseg.training import SimulationScore, score_simulated
    from metseg.training.dataset import masked_patients

    names = sorted(masked_patients(data)) if patients is None else patients
    models = find_entries([model])[0].models
    parts = []
    with EventBar() as bar:
        for checkpoint in map(load_checkpoint, models):
            record = checkpoint.card.training
            if len(models) > 1:
                chosen = [name for name in names if name in record.held_out]
            else:
                chosen = [name for name in names if every or name not in record.patients]
            if not chosen:
                continue
            postprocessing = checkpoint.card.postprocessing.adjusted(**settings)
            events = score_simulated(
                checkpoint, data, patients=chosen, seed=seed, device=device, postprocessing=postprocessing
            )
            parts.append(bar.follow(events, f"scoring {checkpoint.card.name}"))
    if not parts:
        raise DataError(f"{model} was trained on every patient asked for; --all scores them nevertheless")
    return SimulationScore.pooled(parts)
