"""Studies of a PACS as cases of a project: their series are kept there, so that exports refer to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from metseg.curation import Project
from metseg.curation.adding import Added, adding_studies
from metseg.curation.names import safe_name
from metseg.dicomweb.client import Pacs
from metseg.errors import DataError
from metseg.events import Event, Finished, relay
from metseg.study import find_studies

#: Folder of the series in a project.
SOURCE = "dicom"


def adding_from_pacs(
    pacs: Pacs, study: str, project: str | Path, series: Collection[str] | None = None
) -> Iterator[Event[Added]]:
    """Fetch series of a study into a project's folder ``dicom`` and add them as cases, called by patient and date.

    Parameters
    ----------
    pacs : Pacs
    study : str
        StudyInstanceUID.
    project : str or Path
        Folder of a project, or a new or empty one for it.
    series : collection of str, optional
        SeriesInstanceUIDs; unless given, those of MR.

    Raises
    ------
    DataError
        If the PACS refuses, the study's series are there already, or the project cannot be made.
    """
    folder = Path(project)
    about = pacs.study(study)
    opened = Project.open(folder) if (folder / "project.json").exists() else Project.create(folder)
    place = folder / SOURCE / (safe_name(about.title) or "study")
    if place.exists():
        raise DataError(f"{place}: is there already; move it away if its series shall be fetched again")
    yield from relay(pacs.fetching(study, place, series))
    added = yield from relay(adding_studies(opened, find_studies(place)))
    yield Finished(added)
