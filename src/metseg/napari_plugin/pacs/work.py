"""What runs outside the window's thread: requests to the PACS, reading, writing. No Qt, no layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation import Project
from metseg.curation.names import safe_name
from metseg.dicomweb import Pacs, PacsSeries, PacsStudy, StudyQuery, remember
from metseg.dicomweb.cases import adding_from_pacs
from metseg.errors import DataError
from metseg.events import Event, Finished, Progress, relay
from metseg.napari_plugin.layers import LayerData
from metseg.napari_plugin.pacs.downloads import new_folder
from metseg.napari_plugin.pacs.state import SignIn
from metseg.napari_plugin.pipeline import errors_yielded
from metseg.napari_plugin.reader import layers_of
from metseg.napari_plugin.writer import outlined_layer
from metseg.reporting import DicomResult, Outlined, write_dicom_results
from metseg.study import Problem


def _pacs(sign_in: SignIn) -> Pacs:
    if not sign_in.address:
        raise DataError("type the address of the PACS first, such as https://pacs.example.org/dicom-web")
    return Pacs(sign_in.address, sign_in.credentials())


@errors_yielded
def searching(sign_in: SignIn, query: StudyQuery) -> Iterator[Event[tuple[PacsStudy, ...]]]:
    """Search for studies; the credentials are remembered then, if the user wants that."""
    yield Progress(0, 0, "searching")
    found = _pacs(sign_in).find_studies(query)
    if sign_in.remember:
        remember(sign_in.address, sign_in.credentials())
    yield Finished(found)


@errors_yielded
def listing(sign_in: SignIn, study: PacsStudy) -> Iterator[Event[tuple[PacsSeries, ...]]]:
    """List the series of a study."""
    yield Progress(0, 0, "listing series")
    yield Finished(_pacs(sign_in).series_of(study.uid))


@dataclass(frozen=True, eq=False)
class OpenedSeries:
    """Series as layers, and what was odd about them."""

    study: PacsStudy
    layers: list[LayerData]
    problems: tuple[Problem, ...]


@errors_yielded
def opening(sign_in: SignIn, study: PacsStudy, series: frozenset[str]) -> Iterator[Event[OpenedSeries]]:
    """Fetch series and read them as files are read."""
    yield Progress(0, 0, "connecting")
    folder = new_folder(safe_name(study.title) or "study")
    yield from relay(_pacs(sign_in).fetching(study.uid, folder, series))
    yield Progress(0, 0, "reading")
    yield Finished(OpenedSeries(study, *layers_of(folder)))


@dataclass(frozen=True)
class AddedToProject:
    """What became of series that were to be cases of a project."""

    cases: tuple[str, ...]
    project: Path
    refused: tuple[str, ...]


@errors_yielded
def adding(sign_in: SignIn, study: PacsStudy, series: frozenset[str], project: Path) -> Iterator[Event[AddedToProject]]:
    """Fetch series into a project's folder and add them as cases; the project is made if the folder is empty."""
    yield Progress(0, 0, "connecting")
    added = yield from relay(adding_from_pacs(_pacs(sign_in), study.uid, project, series))
    yield Finished(AddedToProject(tuple(sorted(added.there)), project, added.refused))


@dataclass(frozen=True, eq=False)
class StoreOrder:
    """An outline to store. The labels are a copy: painting may go on meanwhile.

    Attributes
    ----------
    labels : ndarray of int
    metadata : dict
        The layer's, which says what it is of.
    case : (Path, str) or None
        Project and case, if it is the layer of an open case.
    results : frozenset of DicomResult
        As what it is stored.
    """

    name: str
    labels: npt.NDArray[Any]
    metadata: dict[str, Any]
    case: tuple[Path, str] | None
    results: frozenset[DicomResult]


@errors_yielded
def storing(sign_in: SignIn, order: StoreOrder) -> Iterator[Event[tuple[DicomResult, ...]]]:
    """Write the wanted objects and store them; they are kept where they could not be stored."""
    yield Progress(0, 0, "writing")
    pacs = _pacs(sign_in)
    files = write_dicom_results(_outlined(order), new_folder("results"), order.results)
    for done, path in enumerate(files.values()):
        yield Progress(done, len(files), "storing")
        try:
            pacs.store([path])
        except DataError as error:
            there = ", ".join(list(files)[:done])
            raise DataError(f"{error}; stored before: {there}") if there else error from error
    yield Finished(tuple(files))


def _outlined(order: StoreOrder) -> Outlined:
    if order.case is None:
        return outlined_layer(order.name, order.labels, order.metadata)
    project, name = order.case
    outlined = Outlined.of_case(Project.open(project).read_case(name))
    if not np.array_equal(outlined.labels, order.labels):
        raise DataError(f"{name}: what was drawn last is not saved yet; wait until the studio says so, and store then")
    return outlined
