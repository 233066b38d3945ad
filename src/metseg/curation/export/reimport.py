"""Take an export back into a project, so that correcting goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metseg.curation.enums import EditKind, Status
from metseg.curation.export.exporting import LAYOUTS
from metseg.curation.export.manifest import FILE, ExportedCase, Manifest, labels_from_runs, read_manifest
from metseg.curation.export.provenance import MODEL, ORIGINS, labels_sha256
from metseg.curation.export.verification import verify
from metseg.curation.journal import read_frames
from metseg.curation.project import Project
from metseg.curation.view import CaseView
from metseg.errors import DataError, require_packages
from metseg.events import Event, Finished, Progress, drained

IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Import:
    """What became of the cases of an export.

    Attributes
    ----------
    taken : tuple of str
        Cases that have the exported labels now.
    there : tuple of str
        Cases that had them already, perhaps with work on top.
    left_out : tuple of str
        Cases whose own labels would have been replaced.
    """

    taken: tuple[str, ...]
    there: tuple[str, ...]
    left_out: tuple[str, ...]


def importing_export(project: Project, out: str | Path, *, annotator: str = "") -> Iterator[Event[Import]]:
    """Make a case of each exported one, with the same labels and status; the journal names the manifest.

    A case that the project has already is used if its image files are the same. If it went through the exported state
    it is left as it is; if it has other labels, it is left alone and listed. Images of layouts without TIFF are kept as
    TIFF in the project's folder ``images``.

    Parameters
    ----------
    annotator : str
        Pseudonym of who does this.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts cases; the last event carries the :class:`Import`.

    Raises
    ------
    DataError
        If the export differs from its manifest, or another study of the same name is in the project.
    CaseBusyError
        If a case is open for editing.
    """
    folder = Path(out)
    checked = verify(folder)
    if damaged := (*checked.missing, *checked.changed):
        raise DataError(f"{folder}: differs from its manifest ({', '.join(damaged[:5])}); nothing was imported")
    manifest = read_manifest(folder)
    require_packages(LAYOUTS[manifest.layout].packages, "export")
    present = {summary.name for summary in project.cases()}
    taken: list[str] = []
    there: list[str] = []
    left_out: list[str] = []
    for done, case in enumerate(manifest.cases):
        yield Progress(done, len(manifest.cases), case.name)
        if case.name not in present or not _same_images(project, case):
            images = project.path / IMAGES / manifest.sha256[:12]
            project.add(LAYOUTS[manifest.layout].read_study(case, folder, images))
        name, view = case.name, project.read_case(case.name)
        same = labels_sha256(view.labels) == case.labels_sha256
        if _went_through(view, case) or (same and view.status is case.status):
            there.append(name)
        elif view.labels.any() and not same:
            left_out.append(name)
        else:
            _take(project, manifest, case, annotator)
            taken.append(name)
    yield Finished(Import(tuple(taken), tuple(there), tuple(left_out)))


#: Imports and waits: the arguments of :func:`importing_export`, the :class:`Import` at once.
import_export = drained(importing_export)


def _same_images(project: Project, case: ExportedCase) -> bool:
    description = project.read_case(case.name).description
    sources = tuple(image.sha256 for image in description.images)
    return sources == case.sources and description.shape == case.shape


def _went_through(view: CaseView, case: ExportedCase) -> bool:
    """Whether the case was once just as exported, or was imported from this state of it before."""
    for frame in read_frames(view.folder):
        if frame.digest == case.journal.sha256:
            return True
        if frame.record.kind is EditKind.IMPORT and frame.record.detail.get("journal_sha256") == case.journal.sha256:
            return True
    return False


def _take(project: Project, manifest: Manifest, case: ExportedCase, annotator: str) -> None:
    labels = labels_from_runs(case.lesions, case.shape)
    with project.open_case(case.name, annotator=annotator) as session:
        session.commit(labels, EditKind.IMPORT, detail=_detail(manifest, case))
        if case.status in (Status.APPROVED, Status.REJECTED):
            session.set_status(case.status, case.reason or f"as in the export {manifest.sha256[:12]}")


def _detail(manifest: Manifest, case: ExportedCase) -> dict[str, Any]:
    return {
        "manifest": FILE,
        "manifest_sha256": manifest.sha256,
        "project": manifest.project,
        "layout": str(manifest.layout),
        "journal_seq": case.journal.seq,
        "journal_sha256": case.journal.sha256,
        "labels_sha256": case.labels_sha256,
        ORIGINS: {str(lesion.id): str(lesion.origin) for lesion in case.lesions},
        MODEL: case.model.model_dump(mode="json") if case.model else None,
    }
