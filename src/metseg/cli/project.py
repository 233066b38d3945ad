"""``metseg project``: a project of cases without a window."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metseg.cli.console import echo, err, leave_with, list_problems, out, table
from metseg.cli.options import Rules, Sequences, data_of, sequences_of
from metseg.cli.progress import follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.curation import CaseSession, CaseSummary
    from metseg.curation.benefit import CaseBenefit
    from metseg.curation.queue import QueueEntry, ReviewProgress, ReviewQueue

Folder = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]
Case = Annotated[str, typer.Argument(metavar="CASE", help="Name of the case.")]
Annotator = Annotated[str, typer.Option(metavar="NAME", help="Pseudonym that goes into the case's journal.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]

_SHOWN = 12


def create(
    project: Folder,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="A TIFF, a patient's folder, a folder of patients.", show_default=False
        ),
    ] = None,
    sequences: Sequences = None,
    rules: Rules = None,
    dicomweb: Annotated[
        str | None,
        typer.Option("--dicomweb", metavar="URL", help="Fetch --study from this DICOMweb service.", show_default=False),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", metavar="UID", help="StudyInstanceUID.", show_default=False)
    ] = None,
) -> None:
    """Make a project of the images in a folder, or add to a project what is not in it yet.

    The images stay where they are; those that are fetched from a PACS are kept in the project's folder dicom. Masks
    beside them are not taken over; `metseg project approve --masks` does that.
    Images that cannot be read are listed and left out, and make the exit status 1.
    """
    from metseg.curation import Project
    from metseg.curation.adding import adding_studies
    from metseg.dicomweb import Pacs
    from metseg.dicomweb.cases import adding_from_pacs
    from metseg.study import find_studies

    if (data is None) == (dicomweb is None) or (dicomweb is None) != (study is None):
        raise DataError("give either --data, or --dicomweb with --study")
    found = () if data is None else find_studies(data_of(data, rules), sequences_of(sequences))
    opened = Project.open(project) if (project / "project.json").exists() else Project.create(project)
    before = {case.name for case in opened.cases()}
    if dicomweb is not None and study is not None:
        added = follow(adding_from_pacs(Pacs(dicomweb), study, project), "adding")
    else:
        added = follow(adding_studies(opened, found), "adding")
    new = len(added.there - before)
    echo(out(), f"{new} case{'s' * (new != 1)} added to {project}, {len(added.there | before)} in all")
    leave_with(added.refused)


def queue(
    project: Folder,
    slices: Annotated[
        str | None, typer.Option(metavar="CASE", help="The slices of this case, one a line.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List cases in the order in which to review them, one a line: those first whose Dice gains most by each look.

    Approved and rejected cases are left out; cases that no network has predicted come last. Slices bear the numbers
    of their files, or are counted from 1. Those that somebody has looked at or drawn on are not listed; those in
    which a lesion was only deleted or changed as a whole are. Voxels are disputed where the networks of an ensemble
    disagree; that is for your eyes, and has no part in the order.
    """
    from metseg.curation import Project
    from metseg.curation.queue import case_benefit, review_queue

    opened = Project.open(project)
    if slices is not None:
        benefit = case_benefit(opened.read_case(slices))
        if benefit is None:
            raise DataError(f"{slices}: no network has predicted it yet; run: metseg project predict")
        _print_slices(slices, benefit, as_json=json)
        return
    found = follow(review_queue(opened), "looking at cases")
    if json:
        print(json_text.dumps(_as_values(found), indent=2))
    else:
        _print_queue(found)
    leave_with(_problems(found.problems))


def approve(
    project: Folder,
    case: Case,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take over corrected masks first: <slice>_mask.tif in DIR/CASE or DIR. Other slices stay as they are.",
            show_default=False,
        ),
    ] = None,
    annotator: Annotator = "",
) -> None:
    """Say that a case is correct as it is, or with corrected masks from elsewhere.

    If one of the masks does not fit, none is taken over and the case is not approved.
    """
    from metseg.curation import Project, Status

    with Project.open(project).open_case(case, annotator=annotator) as session:
        _report_recovery(session)
        taken = _take_over(session, masks) if masks is not None else 0
        if masks is None and session.status is Status.TODO:
            raise DataError(f"{case}: nothing was predicted or drawn yet; predict it, draw, or give --masks")
        session.set_status(Status.APPROVED)
        summary = session.summary
    with_masks = f", {taken} masks taken over" if masks is not None else ""
    looked_at = f"{summary.reviewed} of {summary.shape[0]} slices looked at"
    echo(
        out(), f"{case}: approved with {summary.lesions} lesion{'s' * (summary.lesions != 1)}{with_masks}; {looked_at}"
    )


def reject(
    project: Folder,
    case: Case,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it cannot be used.")],
    annotator: Annotator = "",
) -> None:
    """Say that a case cannot be used, and why."""
    from metseg.curation import Project, Status

    with Project.open(project).open_case(case, annotator=annotator) as session:
        _report_recovery(session)
        session.set_status(Status.REJECTED, reason)
    echo(out(), f"{case}: rejected: {reason}")


def reopen(project: Folder, case: Case, annotator: Annotator = "") -> None:
    """Take the approval or rejection of a case back: it stands again where it stood before."""
    from metseg.curation import Project

    with Project.open(project).open_case(case, annotator=annotator) as session:
        _report_recovery(session)
        if session.reopen() is None:
            raise DataError(f"{case}: is {session.status}, neither approved nor rejected")
        now = session.status
    echo(out(), f"{case}: is {now} again")


def status(project: Folder, json: Json = False) -> None:
    """Say how far the review is: cases by status, slices looked at, lesions approved, reasons of rejection.

    The exit status is 1 if a case cannot be opened.
    """
    from metseg.curation import Project, Status
    from metseg.curation.queue import review_progress

    cases = Project.open(project).cases()
    progress = review_progress(cases)
    rejected = {case.name: case.reason for case in cases if case.status is Status.REJECTED}
    if json:
        problems = {case.name: case.problem for case in cases if case.problem}
        print(json_text.dumps(asdict(progress) | {"rejected": rejected, "problems": problems}, indent=2))
    else:
        _print_progress(progress)
        for name, reason in rejected.items():
            echo(out(), f"rejected: {name}: {reason}")
    leave_with(_problems(cases))


def save(
    project: Folder,
    case: Case,
    out_: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help=".dcm (DICOM SEG), .rtstruct.dcm, .nii.gz or .tif; must be new."),
    ],
    report: Annotated[
        bool,
        typer.Option("--report", help="Also <FILE>_report.pdf, and of a DICOM SEG <FILE>_report.dcm (TID 1500)."),
    ] = False,
) -> None:
    """Write the outlines of a case as they are now, corrected or not, for other programs.

    DICOM needs cases of DICOM series. Each lesion says how it was drawn: AUTOMATIC, SEMIAUTOMATIC or MANUAL. Beside the
    file its .json says which network proposed, and where the case stands.
    """
    from metseg.curation import Project
    from metseg.reporting import Outlined, write_page, write_structured_report
    from metseg.study import writer_of

    writer = writer_of(out_)
    page = out_.with_name(f"{out_.name.removesuffix(writer.suffix)}_report.pdf")
    structured = page.with_suffix(".dcm")
    if there := [path for path in (out_, *((page, structured) if report else ())) if path.exists()]:
        raise DataError(f"{there[0]}: is there already; choose another --out")
    outlined = Outlined.of_case(Project.open(project).read_case(case))
    study, labels, about = outlined.study, outlined.labels, outlined.about
    out_.parent.mkdir(parents=True, exist_ok=True)
    writer.write(out_, labels if writer.whole else (labels > 0).view("uint8"), study, mask=True, about=about)
    written = [out_]
    if report:
        write_page(page, study, labels, outlined.lesions, about)
        written.append(page)
        if writer.name == "dicom-seg":
            write_structured_report(structured, study, outlined.lesions, out_, about)
            written.append(structured)
    echo(out(), f"written: {', '.join(str(path) for path in written)}")


def _take_over(session: CaseSession, folder: Path) -> int:
    """Commit masks from ``folder``; how many slices they are of."""
    from metseg.curation import EditKind
    from metseg.curation.corrections import read_corrections

    corrections = read_corrections(session.study(), folder)
    labels = corrections.applied_to(session.labels, session.next_label)
    session.commit(labels, EditKind.IMPORT, detail={"slices": list(corrections.slices)})
    if corrections.left_over:
        title = f"{len(corrections.left_over)} masks are of no slice of {session.name}:"
        list_problems(title, map(str, corrections.left_over))
    return len(corrections.slices)


def _report_recovery(session: CaseSession) -> None:
    if session.recovery is not None:
        echo(err(), f"{session.name}: {session.recovery}")


def _problems(cases: Iterable[CaseSummary]) -> list[str]:
    return [f"{case.name}: {case.problem}" for case in cases if case.problem]


def _print_queue(found: ReviewQueue) -> None:
    words = ("case", "status", "look first at slices")
    numbers = ("expected Dice", "voxels to change", "voxels disputed")
    listed = table("", *words[:2], *numbers, words[2], left=words)
    listed.columns[1].no_wrap = True
    for place, entry in enumerate(found.entries, start=1):
        listed.add_row(str(place), entry.case.name, entry.case.status.value, *_cells(entry))
    out().print(listed)
    _print_progress(found.progress)


def _cells(entry: QueueEntry) -> tuple[str, str, str, str]:
    benefit = entry.benefit
    if benefit is None:
        return "", "", "", "not predicted yet: metseg project predict"
    first = [_number(benefit, one.z) for one in benefit.slices[: benefit.leading]]
    named = (", ".join(map(str, first[:_SHOWN])) or "none left") + ", …" * (len(first) > _SHOWN)
    return f"{benefit.dice:.3f}", f"{benefit.changes:.0f}", _voxels(benefit.disputed), named + _looked_at(benefit)


def _number(benefit: CaseBenefit, z: int) -> int:
    """The number by which people call slice ``z``."""
    return z + 1 if benefit.plan is None else benefit.plan.numbers[z]


def _looked_at(benefit: CaseBenefit) -> str:
    """How many of the slices that matter were looked at, in parentheses."""
    plan = benefit.plan
    return "" if plan is None else f" ({len(plan.first) - len(plan.left)} of {len(plan.first)} looked at)"


def _voxels(count: float | None) -> str:
    return "" if count is None else f"{count:.0f}"


def _print_slices(case: str, benefit: CaseBenefit, *, as_json: bool) -> None:
    if as_json:
        print(json_text.dumps({"case": case} | _benefit_values(benefit), indent=2))
        return
    listed = table("slice", "Dice gained", "voxels to change", "voxels disputed")
    for one in benefit.slices:
        listed.add_row(str(_number(benefit, one.z)), f"{one.gain:.4f}", f"{one.changes:.0f}", _voxels(one.disputed))
    out().print(listed)


def _print_progress(progress: ReviewProgress) -> None:
    stand = ", ".join(f"{count} {status.value}" for status, count in progress.cases.items() if count) or "no case"
    done, total = progress.slices
    share = f" ({100 * done / total:.0f} %)" if total else ""
    echo(out(), f"{stand}; {done} of {total} slices looked at{share}")
    echo(out(), f"{progress.lesions} lesions approved, {progress.lesion_voxels} voxels")


def _as_values(found: ReviewQueue) -> dict[str, Any]:
    return {
        "cases": [
            {"case": entry.case.name, "status": entry.case.status.value}
            | ({} if entry.benefit is None else _benefit_values(entry.benefit))
            for entry in found.entries
        ],
        "progress": asdict(found.progress),
        "problems": {case.name: case.problem for case in found.problems},
    }


def _benefit_values(benefit: CaseBenefit) -> dict[str, Any]:
    plan = benefit.plan
    return {
        "expected_dice": benefit.dice,
        "expected_changes": benefit.changes,
        "disputed": benefit.disputed,
        "rank": benefit.rank,
        "leading": benefit.leading,
        "matter": [] if plan is None else [plan.numbers[z] for z in plan.first],
        "looked_at": [] if plan is None else [plan.numbers[z] for z in sorted(plan.reviewed)],
        "slices": [{"slice": _number(benefit, one.z)} | asdict(one) for one in benefit.slices],
    }
