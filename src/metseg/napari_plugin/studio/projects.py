"""Opening, making and listing projects. Runs in threads: no Qt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metseg.curation import CaseSummary, Project
from metseg.curation.adding import adding_studies
from metseg.errors import DataError
from metseg.events import Event, Finished, Progress, relay
from metseg.study import find_studies

_MOST_REMARKS = 5


@dataclass(frozen=True, slots=True)
class OpenedProject:
    """A project, its cases, and what the user must know."""

    project: Project
    cases: tuple[CaseSummary, ...]
    remarks: tuple[str, ...] = ()


def opening(path: Path) -> Iterator[Event[OpenedProject]]:
    """Open the project in a folder.

    Raises
    ------
    DataError, UnreadableFileError
        See :meth:`metseg.curation.Project.open`.
    """
    yield Progress(0, 0, "listing its cases")
    yield Finished(listed(Project.open(path)))


def listed(project: Project) -> OpenedProject:
    """The project with its cases as they are on the disk."""
    return OpenedProject(project, project.cases())


def creating(path: Path, data: Path) -> Iterator[Event[OpenedProject]]:
    """Make a project of the images in ``data``, or add to the one in ``path`` what is not in it yet.

    The images stay where they are; masks beside them are not taken over. What cannot be used is a remark.

    Raises
    ------
    DataError
        If there is no study in ``data``, or the folder is not empty and no project.
    """
    found = find_studies(data)
    if not found:
        raise DataError(f"{data}: no TIFF slices here")
    project = Project.open(path) if (path / "project.json").exists() else Project.create(path)
    refused = (yield from relay(adding_studies(project, found))).refused
    shown = refused[:_MOST_REMARKS]
    if len(refused) > len(shown):
        shown += (f"… and {len(refused) - len(shown)} more files or studies that could not be added",)
    yield Finished(OpenedProject(project, project.cases(), shown))
