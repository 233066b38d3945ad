"""``metseg retrain`` and ``metseg project promote``: a network that learns from corrections, and its promotion."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg.cli.console import echo, err, out, table
from metseg.cli.options import Device, Labels, Rules, Sequences, labels_of, sequences_of
from metseg.cli.progress import follow, print_events, stopping_cleanly
from metseg.cli.project import Folder

if TYPE_CHECKING:
    from metseg.retraining import PromotionCheck


def retrain(
    ctx: typer.Context,
    project: Folder,
    parent: Annotated[
        str, typer.Option("--parent", metavar="NAME_OR_PATH", help="The single network that is trained further.")
    ],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where model, check and log go; new or empty.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Patients with masks that are shown again beside the new; may be repeated."),
    ] = None,
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    replay: Annotated[float, typer.Option(min=0, max=0.95, help="Share of the examples that come from --data.")] = 0.5,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the new slices with lesion.")] = 5,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Steps of an epoch, in place of one pass.", show_default=False)
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="Of the decoder.")] = 3e-4,
    held_out: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of the project's patients that is evaluated on, not trained on."),
    ] = 0.2,
    patient: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="Its first group, in a name, is the patient. Each name is one by default.",
            show_default=False,
        ),
    ] = "",
    tolerance: Annotated[
        float, typer.Option(min=0, max=0.1, help="How much lower than the parent's the mean Dice may be.")
    ] = 0.0,
    least_held_out: Annotated[
        int, typer.Option(min=1, help="With fewer held-out patients the promotion check decides nothing.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Decides who is held out, the order and the augmentation.")] = 0,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue what was stopped in --out.")] = False,
    promote_: Annotated[
        bool,
        typer.Option(
            "--promote", "--adopt", help="Make the model the project's default if it passes the promotion check."
        ),
    ] = False,
    json_events: Annotated[
        bool, typer.Option("--json-events", help="Print every event as a line of JSON, for other programs.")
    ] = False,
) -> None:
    """Train a network further on the approved cases of a project, and compare it with what it was before.

    --out receives the model, gate.md and gate.json with both tables and the decision, and the cases as they were.
    The model passes if, on patients that neither it nor its parent was trained on, its mean Dice is no lower and it
    finds no fewer lesions.

    Ctrl-C or SIGTERM ends it after the step in progress; the same command with --resume goes on from there.
    """
    from metseg.curation import Project
    from metseg.retraining import PromotionCheck, RetrainingConfig, promote
    from metseg.retraining import retrain as run
    from metseg.training import keep_freed_memory

    given = {name: value for name, value in ctx.params.items() if name in RetrainingConfig.model_fields}
    given |= {"data": tuple(data or ()), "labels": labels_of(labels), "sequences": sequences_of(sequences)}
    given |= {"out": out_, "patient_pattern": patient, "least_patients": least_held_out}
    config = RetrainingConfig.model_validate(given)
    opened = Project.open(project)
    keep_freed_memory()
    command = shlex.join(["metseg", *sys.argv[1:]])
    with stopping_cleanly("the same command with --resume goes on") as stoppable:
        stream = stoppable(run(config, resume=resume, device=device, command=command))
        if json_events:
            promotion = print_events(stream, lambda found: PromotionCheck.model_dump(found, mode="json"))
        else:
            promotion = follow(stream, f"retraining {parent}")
            _print_check(promotion, out_)
    if promote_:
        if not promotion.passed:
            echo(err(), f"{promotion.child.name}: not promoted")
            raise typer.Exit(1)
        promote(opened, out_)


def promote(
    project: Folder,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder of a retraining, or any model's name or file.")],
    force: Annotated[bool, typer.Option("--force", help="Also a model that did not pass the promotion check.")] = False,
) -> None:
    """Make a model the project's default, which `metseg project predict` and the window then ask first.

    Only a model that passed the promotion check of `metseg retrain`, unless --force is given. It stays where it is.
    """
    from metseg.curation import Project
    from metseg.retraining import promote as run

    promoted = run(Project.open(project), model, force=force)
    how = f"the promotion check: {promoted.promotion}" + (", promoted all the same" if promoted.forced else "")
    echo(out(), f"{promoted.name} is the default of {project} ({how})")


def _print_check(promotion: PromotionCheck, folder: Path) -> None:
    compared = table("", "mean Dice", "lesions found", "false positives", left=("",))
    for title, model in (("parent", promotion.parent), ("child", promotion.child)):
        dice = f"{model.mean_dice:.4f}" if model.rows else ""
        compared.add_row(f"{title} {model.name}", dice, f"{model.found} of {model.lesions}", str(model.false))
    out().print(compared)
    echo(out(), f"Promotion check {promotion.result}: {promotion.reason}")
    for remark in promotion.remarks:
        echo(out(), f"  {remark}")
    echo(out(), str(folder))
