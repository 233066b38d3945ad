"""Adding many studies to a project."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from metseg.curation.project import Project
from metseg.errors import MetsegError
from metseg.events import Event, Finished, Progress
from metseg.study import StudyFiles, load


@dataclass(frozen=True, slots=True)
class Added:
    """What became of studies that were to be added.

    Attributes
    ----------
    there : frozenset of str
        Cases of theirs that are in the project now, also those that were there before.
    refused : tuple of str
        Files and studies that could not be added, each with the reason.
    """

    there: frozenset[str]
    refused: tuple[str, ...]


def adding_studies(project: Project, found: Collection[StudyFiles]) -> Iterator[Event[Added]]:
    """Add studies; the images stay where they are, and masks beside them are not taken over.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts studies; the last event carries :class:`Added`.
    """
    there: set[str] = set()
    refused: list[str] = []
    for done, files in enumerate(found):
        yield Progress(done, len(found), files.name)
        loaded = load(files)
        refused += [str(problem) for problem in loaded.problems if problem.refused]
        for study in loaded.studies:
            try:
                there.add(project.add(study).name)
            except MetsegError as error:
                refused.append(str(error))
    yield Finished(Added(frozenset(there), tuple(refused)))
