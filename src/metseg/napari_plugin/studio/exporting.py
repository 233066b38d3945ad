"""From a project to data sets and back. Runs in threads: no Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metseg.curation import Project
from metseg.curation.export import (
    Export,
    Layout,
    Subset,
    Verification,
    exporting_project,
    importing_export,
    read_manifest,
    verifying,
)
from metseg.curation.export.manifest import FILE
from metseg.curation.names import safe_name
from metseg.errors import DataError, MetsegError
from metseg.events import Event, Finished, Notice, Progress, relay
from metseg.napari_plugin.studio.formatting import counted

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
class ExportReport:
    """What became of an export, a check or an import, for the user.

    Attributes
    ----------
    text : str
        A line for each data set.
    problems : tuple of str
        Why something was not done.
    exports : tuple of Export
        What was written.
    folder : Path or None
        Where the files are that it is about.
    """

    text: str
    problems: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()
    folder: Path | None = None


def place(folder: Path, layout: Layout, project: Project) -> Path:
    """Where a layout goes within ``folder``; nnU-Net finds a data set by its folder's name."""
    if layout is Layout.NNUNET:
        return folder / f"{_NNUNET}{safe_name(project.path.name, _LONGEST) or 'Lesions'}"
    return folder / layout.value


def missing_package(layout: Layout) -> str:
    """The package that a layout needs and that is not installed; empty if there is none."""
    package = _PACKAGES.get(layout, "")
    return package if package and find_spec(package) is None else ""


def exporting(
    project: Project, folder: Path, layouts: Sequence[Layout], options: Mapping[str, Any]
) -> Iterator[Event[ExportReport]]:
    """Write one layout after the other, each to a folder of its own in ``folder``; one that fails stops no other.

    For ``options`` see :func:`metseg.curation.export.exporting_project`.
    """
    done: list[Export] = []
    problems: list[str] = []
    seen: set[Notice] = set()
    for number, layout in enumerate(layouts):
        try:
            for event in exporting_project(project, place(folder, layout, project), layout=layout, **options):
                match event:
                    case Finished(export):
                        done.append(export)
                    case Notice() if event not in seen:
                        seen.add(event)
                        yield event
                    case Progress(at, total, what):
                        yield Progress(number * total + at, len(layouts) * total, f"{TITLES[layout]}: {what}")
        except MetsegError as error:
            problems.append(f"{TITLES[layout]}: {error}")
    text = "\n".join(map(_export_line, done)) or "Nothing was exported."
    yield Finished(ExportReport(text, tuple(problems), tuple(done), folder if done else None))


def verifying_all(folder: Path) -> Iterator[Event[ExportReport]]:
    """Hash the files of every export in ``folder``, which may be one itself.

    Raises
    ------
    DataError
        If there is no export.
    """
    lines: list[str] = []
    problems: list[str] = []
    for export in exports_in(folder):
        try:
            for event in verifying(export):
                match event:
                    case Finished(result):
                        lines.append(f"{export.name}: {_verified(result)}")
                    case Progress(at, total, what):
                        yield Progress(at, total, f"{export.name}: {what}")
        except MetsegError as error:
            problems.append(str(error))
    yield Finished(ExportReport("\n".join(lines), tuple(problems), folder=folder))


def taking_back(folder: Path, project: Path, annotator: str) -> Iterator[Event[ExportReport]]:
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
    result = yield from relay(importing_export(opened, export, annotator=annotator))
    parts = [f"{counted(len(result.taken), 'case')} taken over into {project.name}"]
    if result.there:
        parts.append(f"{len(result.there)} there already")
    if result.left_out:
        parts.append(f"left alone because they have other labels: {', '.join(result.left_out)}")
    yield Finished(ExportReport("; ".join(parts) + "."))


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
    sides = {side: len({case.patient for case in cases if case.side is side}) for side in Subset}
    train = sides[Subset.TRAIN]
    split = f"{counted(train, 'patient')} to train on, {sides[Subset.HELD_OUT]} held out"
    kept = f" ({export.kept} there already)" if export.kept else ""
    return f"{TITLES[export.manifest.layout]}: {counted(len(cases), 'case')}{kept}; {split}"


def _verified(found: Verification) -> str:
    if found.sound:
        return f"{found.files:,} files as they were written"
    return "; ".join(
        f"{len(paths)} {what} ({', '.join(paths[:3])}{', …' * (len(paths) > 3)})"
        for what, paths in (("missing", found.missing), ("changed", found.changed), ("extra", found.extra))
        if paths
    )
