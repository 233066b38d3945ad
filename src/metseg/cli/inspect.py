"""``metseg inspect``: what is in a folder, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg.cli.console import echo, out, table
from metseg.cli.options import Labels, Rules, Sequences, data_of, sequences_of
from metseg.cli.progress import follow

if TYPE_CHECKING:
    from metseg.study import FileFinding, Inspection, StudyInspection


def inspect(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="An image, a patient's folder, a folder of patients.")],
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what is there: patients, slices, masks, sizes, channels, gaps, what names were taken for, what is refused.

    Every file is read. The exit status is 1 if one of them had to be refused.
    """
    from metseg.study import inspect as run

    inspection = follow(run(data_of(path, rules, labels), sequences_of(sequences)), "reading")
    if json:
        print(inspection.model_dump_json(indent=2))
    else:
        _print_studies(inspection)
        _print_names(inspection)
        _print_mask_values(inspection)
        _print_sums(inspection)
    if inspection.refused:
        raise typer.Exit(1)


def _print_studies(inspection: Inspection) -> None:
    numbers = ("slices", "masks", "lesion", "format", "sequences", "spacing, mm", "remarks")
    listed = table("study", *numbers, left=("study",))
    listed.columns[0].no_wrap = True
    for study in inspection.studies:
        listed.add_row(*_row(study))
    out().print(listed)


def _row(study: StudyInspection) -> tuple[str, ...]:
    kind = "–" if study.size is None else f"{study.size[0]} x {study.size[1]} x {study.channels} {study.dtype}"
    spacing = "unknown" if study.spacing is None else " x ".join(f"{mm:g}" for mm in study.spacing)
    names = ", ".join(study.sequences)
    counts = (study.slices, study.pairs, study.lesion_slices)
    remarks = str(len(study.problems)) if study.problems else ""
    return (study.name, *map(str, counts), kind, names, spacing, remarks)


def _print_names(inspection: Inspection) -> None:
    """Say by which rules files were taken for what: one line for all that are alike."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[FileFinding]] = {}
    for file in inspection.files:
        alike.setdefault((file.role, file.sequence, file.rules), []).append(file)
    if len(alike) > 1 or any(rules for _, _, rules in alike):
        echo(out(), "\nTaken by their names:", "bold")
    for (role, sequence, rules), files in alike.items():
        first = files[0]
        what = f"{len(files)} {role}{'s' * (len(files) > 1)}" + (f" of {sequence}" if sequence else "")
        name = first.path.relative_to(inspection.path) if inspection.path in first.path.parents else first.path.name
        if rules or len(alike) > 1:
            echo(out(), f"  {what}, as {name} of {first.study}: {', '.join(rules) or 'name as it is'}")


def _print_mask_values(inspection: Inspection) -> None:
    """Say which numbers masks hold, and which of them are lesion: one line for all studies whose labels are alike."""
    studies: dict[tuple[int, ...] | None, Counter[str]] = {}
    for study in inspection.studies:
        studies.setdefault(study.labels, Counter()).update(study.mask_values.keys())
    for labels, counts in studies.items():
        if counts:
            held = ", ".join(f"{value} in {counts[value]}" for value in sorted(counts, key=float))
            which = "all are lesion" if labels is None else f"lesion: {', '.join(map(str, labels))}"
            echo(out(), f"\nNumbers in masks, and in how many studies: {held}; {which}")


def _print_sums(inspection: Inspection) -> None:
    console = out()
    one = inspection.patients == 1
    scans = len({study.name for study in inspection.studies})
    visits = f", {scans} studies" if scans > inspection.patients else ""
    patients = f"{inspection.patients} patient{'' if one else 's'}{visits}"
    echo(
        console,
        f"\n{patients}, {inspection.slices} slices, {inspection.pairs} with a mask, "
        f"{inspection.lesion_slices} with lesion",
        "bold",
    )
    remarks = [finding for finding in inspection.problems if not finding.refused]
    for title, findings in (("Refused:", inspection.refused), ("Remarks:", remarks)):
        if findings:
            echo(console, f"\n{title}", "bold")
            for finding in findings:
                echo(console, f"  {finding}")
