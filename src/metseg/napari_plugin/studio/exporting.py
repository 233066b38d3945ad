"""From a project to data sets and back. Runs in threads: no Qt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from metseg.curation import Project, Status
from metseg.curation.export import (
    Export,
    Import,
    Layout,
    Side,
    Verification,
    exporting_project,
    importing_export,
    read_manifest,
    verifying,
)
from metseg.curation.export.manifest import FILE
from metseg.curation.names import safe_name
from metseg.errors import DataError, MetsegError
from metseg.events import Event, Finished, Notice, Progress

#: What a data set for nnU-Net must be called, but for the name.
_NNUNET = "Dataset501_"
_LONGEST = 60

TITLES = {
    Layout.PAIRS: "Training pairs",
    Layout.NNUNET: "nnU-Net",
    Layout.NIFTI: "NIfTI (BIDS)",
    Layout.COCO: "COCO",
}
_PACKAGES = {Layout.NNUNET: "nibabel", Layout.NIFTI: "nibabel", Layout.COCO: "pycocotools"}


@dataclass(frozen=True)
class ProjectExportOrder:
    """What the user asked for: each layout gets a folder of its own in ``folder``.

    ``held_out`` is the share of patients that are not for training; for ``patient_pattern`` see
    :func:`metseg.curation.export.exporting_project`.
    """

    project: Project
    folder: Path
    layouts: tuple[Layout, ...]
    statuses: tuple[Status, ...] = (Status.APPROVED,)
    held_out: float = 0.2
    patient_pattern: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Exported:
    """What was written, and why a layout was not."""

    done: tuple[Export, ...]
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(_export_line(export) for export in self.done) or "Nothing was exported."


@dataclass(frozen=True)
class Checked:
    """How exports differ from their manifests, by folder."""

    found: dict[Path, Verification]
    problems: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing differs."""
        return not self.problems and all(one.sound for one in self.found.values())

    def __str__(self) -> str:
        return "\n".join(
            f"{folder.name}: {one.files:,} files as they were written" if one.sound else _difference(folder, one)
            for folder, one in self.found.items()
        )


@dataclass(frozen=True)
class TakenBack:
    """What became of an export's cases, and in which project."""

    project: Path
    result: Import

    def __str__(self) -> str:
        result = self.result
        parts = [f"{_cases(len(result.taken))} taken over into {self.project.name}"]
        if result.there:
            parts.append(f"{len(result.there)} there already")
        if result.left_out:
            parts.append(f"left alone because they have other labels: {', '.join(result.left_out)}")
        return "; ".join(parts) + "."


def place(folder: Path, layout: Layout, project: Project) -> Path:
    """Where a layout goes within ``folder``; nnU-Net finds a data set by its folder's name."""
    if layout is Layout.NNUNET:
        return folder / f"{_NNUNET}{safe_name(project.path.name, _LONGEST) or 'Lesions'}"
    return folder / layout.value


def missing_package(layout: Layout) -> str:
    """The package that a layout needs and that is not installed; empty if there is none."""
    package = _PACKAGES.get(layout, "")
    return package if package and find_spec(package) is None else ""


def exporting(order: ProjectExportOrder) -> Iterator[Event[Exported]]:
    """Write one layout after the other; one that fails does not stop the others."""
    done: list[Export] = []
    problems: list[str] = []
    said: set[Notice] = set()
    for number, layout in enumerate(order.layouts):
        try:
            for event in _exporting(order, layout):
                match event:
                    case Finished(export):
                        done.append(export)
                    case Notice() if event not in said:
                        said.add(event)
                        yield event
                    case Progress(at, total, what):
                        yield Progress(number * total + at, len(order.layouts) * total, f"{TITLES[layout]}: {what}")
        except MetsegError as error:
            problems.append(f"{TITLES[layout]}: {error}")
    yield Finished(Exported(tuple(done), tuple(problems)))


def _exporting(order: ProjectExportOrder, layout: Layout) -> Iterator[Event[Export]]:
    return exporting_project(
        order.project,
        place(order.folder, layout, order.project),
        layout=layout,
        statuses=order.statuses,
        held_out=order.held_out,
        patient_pattern=order.patient_pattern,
        licence=order.licence,
    )


def verifying_all(folder: Path) -> Iterator[Event[Checked]]:
    """Hash the files of every export in ``folder``, which may be one itself.

    Raises
    ------
    DataError
        If there is no export.
    """
    found: dict[Path, Verification] = {}
    problems: list[str] = []
    for export in exports_in(folder):
        try:
            for event in verifying(export):
                match event:
                    case Finished(result):
                        found[export] = result
                    case Progress(at, total, what):
                        yield Progress(at, total, f"{export.name}: {what}")
        except MetsegError as error:
            problems.append(str(error))
    yield Finished(Checked(found, tuple(problems)))


def taking_back(folder: Path, project: Path, annotator: str) -> Iterator[Event[TakenBack]]:
    """Take the export in ``folder`` back into the project in another, which is made if there is none.

    Where ``folder`` holds several exports they are of the same cases, and the first is taken.

    Raises
    ------
    DataError, CaseBusyError
        See :func:`metseg.curation.export.importing_export`.
    """
    export = exports_in(folder)[0]
    read_manifest(export)
    opened = Project.open(project) if (project / "project.json").exists() else Project.create(project)
    yield Progress(0, 0, "comparing the files with the manifest")
    for event in importing_export(opened, export, annotator=annotator):
        yield Finished(TakenBack(project, event.result)) if isinstance(event, Finished) else event


def exports_in(folder: Path) -> list[Path]:
    """``folder`` if it is an export, else the exports in it, those that are easiest to read first.

    Raises
    ------
    DataError
        If there are none.
    """
    if (folder / FILE).is_file():
        return [folder]
    found = [path.parent for path in folder.glob(f"*/{FILE}")]
    if not found:
        raise DataError(f"{folder}: there is no export in it (no {FILE})")
    return sorted(found, key=lambda path: (path.name != Layout.PAIRS, path.name))


def _export_line(export: Export) -> str:
    cases = export.manifest.cases
    sides = {side: len({case.patient for case in cases if case.side is side}) for side in Side}
    train = sides[Side.TRAIN]
    split = f"{train} patient{'s' * (train != 1)} to train on, {sides[Side.HELD_OUT]} held out"
    kept = f" ({export.kept} there already)" if export.kept else ""
    return f"{TITLES[export.manifest.layout]}: {_cases(len(cases))}{kept}; {split}"


def _difference(folder: Path, found: Verification) -> str:
    listed = [
        f"{len(paths)} {what} ({', '.join(paths[:3])}{', …' * (len(paths) > 3)})"
        for what, paths in (("missing", found.missing), ("changed", found.changed), ("extra", found.extra))
        if paths
    ]
    return f"{folder.name}: {'; '.join(listed)}"


def _cases(count: int) -> str:
    return f"{count} case{'s' * (count != 1)}"
