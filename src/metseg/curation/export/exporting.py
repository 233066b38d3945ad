"""Export the cases of a project as a data set with provenance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from metseg.curation.description import CaseDescription, read_images
from metseg.curation.documents import write_json
from metseg.curation.enums import Status
from metseg.curation.export.as_coco import CocoLayout
from metseg.curation.export.as_nifti import NiftiLayout
from metseg.curation.export.as_nnunet import NnunetLayout
from metseg.curation.export.as_pairs import PairsLayout
from metseg.curation.export.card import card
from metseg.curation.export.croissant import croissant
from metseg.curation.export.layout import LayoutWriter
from metseg.curation.export.manifest import (
    ExportedCase,
    FileRole,
    Layout,
    Manifest,
    SplitRule,
    Subset,
    labels_from_runs,
)
from metseg.curation.export.provenance import describe_case
from metseg.curation.export.splitting import patients_of, sides_of, unique_names
from metseg.curation.export.workspace import Plan, StagedFile, Workspace, staged_file
from metseg.curation.project import Project
from metseg.curation.record import software
from metseg.errors import DataError, require_packages
from metseg.events import Event, Finished, Notice, Progress, drained
from metseg.study import is_blank, joined, write_text

CARD, CROISSANT = "README.md", "croissant.json"

LAYOUTS: dict[Layout, LayoutWriter] = {
    Layout.PAIRS: PairsLayout(),
    Layout.NNUNET: NnunetLayout(),
    Layout.NIFTI: NiftiLayout(),
    Layout.COCO: CocoLayout(),
}


@dataclass(frozen=True, slots=True)
class Export:
    """What was exported.

    Attributes
    ----------
    written, kept : int
        Cases whose files were made, and cases whose files were in place already.
    left_out : tuple of str
        Cases that cannot be read, with the reason.
    """

    out: Path
    manifest: Manifest
    written: int
    kept: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chosen:
    case: ExportedCase
    description: CaseDescription


def exporting_project(
    project: Project,
    out: str | Path,
    *,
    layout: Layout = Layout.PAIRS,
    cases: Collection[str] | None = None,
    statuses: Collection[Status] = (Status.APPROVED,),
    held_out: float = 0.2,
    seed: int = 0,
    patient_pattern: str = "",
    licence: str = "",
) -> Iterator[Event[Export]]:
    """Export cases as they are on the disk; nobody need stop working.

    The same call again finishes an export that was killed, and brings a finished one up to date: files that are as they
    should be stay, what is no longer wanted goes. The same cases give the same bytes. The manifest is written last.

    Parameters
    ----------
    out : str or Path
        New or empty folder, or one that holds an export of this project in this layout.
    cases : collection of str, optional
        Only these.
    statuses : collection of Status
        Only cases that stand there.
    held_out : float
        Share of patients that are not for training, 0 to below 1.
    patient_pattern : str
        Regular expression whose first group, in a case's name, names the patient; by default each case is of a patient
        of its own.
    licence : str
        Of the data, for the card: an SPDX identifier, a URL, or words.

    Yields
    ------
    Notice, Progress, Finished
        Notices say what was left out and what other software will not understand. ``Progress`` counts cases. The last
        event carries the :class:`Export`.

    Raises
    ------
    DataError
        If there is no such case, the folder is somebody else's, the cases do not fit the layout, or a file cannot be
        written.
    UnreadableFileError
        If a case or its images cannot be read, or the images have changed since they were added.
    MissingExtraError
        If the layout needs a package that is not installed.
    """
    out = Path(out)
    if not 0 <= held_out < 1:
        raise DataError(f"{held_out:g}: the share of patients that are held out must be at least 0 and below 1")
    rule = SplitRule(held_out=held_out, seed=seed, patient_pattern=patient_pattern)
    writer = LAYOUTS[layout]
    require_packages(writer.packages, "export")
    names, left_out = _choose(project, cases, statuses)
    for reason in left_out:
        yield Notice(f"Left out: {reason}")
    chosen = yield from _described(project, writer, names, rule)
    for remark in writer.remarks([entry.case for entry in chosen], out):
        yield Notice(remark)
    with Workspace(out, Plan(project=project.description.id, layout=layout)) as workspace:
        done: list[ExportedCase] = []
        kept = 0
        for number, entry in enumerate(chosen):
            yield Progress(number, len(chosen), entry.case.name)
            there = workspace.kept(entry.case)
            kept += there is not None
            if there is None:
                there = yield from _write_case(project, writer, workspace, entry, Progress(number, len(chosen)))
            done.append(there)
        yield Progress(len(chosen), len(chosen), "manifest.json")
        manifest = _write_dataset(writer, workspace, _manifest(project, layout, rule, licence, done))
        workspace.remove_others(manifest.all_files())
        workspace.finish(manifest)
    yield Finished(Export(out, manifest, len(done) - kept, kept, tuple(left_out)))


#: Exports and waits: the arguments of :func:`exporting_project`, the :class:`Export` at once.
export_project = drained(exporting_project)


def _choose(
    project: Project, cases: Collection[str] | None, statuses: Collection[Status]
) -> tuple[list[str], list[str]]:
    """Names of the cases to export, and those that cannot be read, each with the reason."""
    found = {summary.name: summary for summary in project.cases()}
    if unknown := sorted(set(cases or ()) - found.keys()):
        raise DataError(f"{project.path}: has no case {', '.join(unknown)}")
    wanted = [summary for name, summary in found.items() if cases is None or name in cases]
    left_out = [f"{summary.name}: {summary.problem}" for summary in wanted if summary.problem]
    names = [summary.name for summary in wanted if not summary.problem and summary.status in statuses]
    if not names:
        stand = " or ".join(sorted(statuses)) or "exported"
        raise DataError(f"{project.path}: no case to export is {stand}; nothing was written")
    return names, left_out


def _described(
    project: Project, writer: LayoutWriter, names: Sequence[str], rule: SplitRule
) -> Generator[Event[Export], None, list[_Chosen]]:
    stems = unique_names(names, writer.stem)
    chosen: list[_Chosen] = []
    for number, name in enumerate(names):
        yield Progress(number, len(names), f"reading {name}")
        view = project.read_case(name)
        case = describe_case(view, stem=stems[name], patient=name, side=Subset.TRAIN)
        chosen.append(_Chosen(case, view.description))
    patients = _patients(chosen, rule, project.path)
    sides = sides_of(patients.values(), rule)
    placed = []
    for entry in chosen:
        patient = patients[entry.case.name]
        case = entry.case.model_copy(update={"patient": patient, "side": sides[patient]})
        placed.append(_Chosen(case, entry.description))
    return placed


def _patients(chosen: Sequence[_Chosen], rule: SplitRule, root: Path) -> dict[str, str]:
    """The patient of each case: by the pattern, else as it was found; the same for cases of the same images."""
    names = [entry.case.name for entry in chosen]
    patients = patients_of(names, rule.patient_pattern)
    if not rule.patient_pattern:
        patients = {entry.case.name: entry.description.patient or entry.case.name for entry in chosen}
    files = {
        entry.case.name: {image.sha256: root / image.path for image in entry.description.images} for entry in chosen
    }
    owners: dict[str, list[str]] = defaultdict(list)
    for name, hashes in files.items():
        for sha256 in hashes:
            owners[sha256].append(name)
    several = {sha256: names for sha256, names in owners.items() if len(names) > 1}
    telling = [names for sha256, names in several.items() if not is_blank(files[names[0]][sha256])]
    shared = Counter(pair for names in telling for pair in combinations(sorted(names), 2))
    same = [pair for pair, count in shared.items() if 2 * count >= min(len(files[name]) for name in pair)]
    of = joined(patients.values(), ((patients[one], patients[other]) for one, other in same))
    return {name: of[patient] for name, patient in patients.items()}


def _write_case(
    project: Project, writer: LayoutWriter, workspace: Workspace, entry: _Chosen, progress: Progress
) -> Generator[Event[Export], None, ExportedCase]:
    case = entry.case
    study = read_images(entry.description, project.path)
    labels = labels_from_runs(case.lesions, case.shape)
    steps = writer.write_case(case, study, labels, workspace.staging())
    while True:
        try:
            yield replace(progress, what=next(steps))
        except StopIteration as finished:
            return case.model_copy(update={"files": workspace.commit(finished.value, case)})


def _manifest(
    project: Project, layout: Layout, rule: SplitRule, licence: str, cases: Sequence[ExportedCase]
) -> Manifest:
    times = (time for case in cases for time in (case.status_time, case.statistics.last))
    return Manifest(
        layout=layout,
        project=project.description.id,
        software=software(),
        time=max(filter(None, (project.description.created, *times))),
        licence=licence,
        split=rule,
        cases=tuple(cases),
        files=(),
    )


def _write_dataset(writer: LayoutWriter, workspace: Workspace, manifest: Manifest) -> Manifest:
    """Write the files that speak of all cases; the manifest with them in it."""
    staging = workspace.staging()
    made = writer.write_dataset(manifest.cases, manifest.split, manifest.licence, staging)
    write_text(staging / CARD, card(manifest))
    write_json(staging / CROISSANT, croissant(manifest, [staged_file(staging, entry) for entry in made]))
    about = [StagedFile(CARD, FileRole.ABOUT), StagedFile(CROISSANT, FileRole.ABOUT)]
    return manifest.model_copy(update={"files": workspace.commit([*made, *about])})
