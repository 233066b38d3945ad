"""Keeps the PACS widget's state and the viewer in step. Owns no widget."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.dicomweb import PacsSeries, PacsStudy, StudyQuery, suggested_series
from metseg.dicomweb.client import MOST_STUDIES
from metseg.napari_plugin.layers import CASE_KEY, KEY, Channel, make_layer
from metseg.napari_plugin.messages import tell_problems
from metseg.napari_plugin.outlines import outline_of, outlines_on
from metseg.napari_plugin.pacs import work
from metseg.napari_plugin.pacs.state import PacsState, SignIn
from metseg.napari_plugin.runs import Run
from metseg.napari_plugin.state import Activity, ConnectionMixin, LayerChoice

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from metseg.reporting import DicomResult
    from metseg.study import Study


class PacsController(ConnectionMixin):
    """Searches, opens, adds and stores in threads."""

    def __init__(self, viewer: ViewerModel, state: PacsState) -> None:
        super().__init__()
        self._viewer = viewer
        self._state = state
        self._run = Run(state)
        self._names = self.group()
        self.follow(viewer.layers.events, ("inserted", "removed", "reordered"), self.refresh_outlines)
        self.follow(state.events, ("notices",), self._on_notices)
        self.refresh_outlines()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return self._run.busy

    def close(self) -> None:
        """Stop work and listening."""
        self.unfollow()
        self._run.close()

    def cancel(self) -> None:
        """Stop at once; a thread that waits for the PACS ends when that answers, and what it fetched is removed."""
        self._run.close()
        self._state.message = "Cancelled."

    # Search

    def search(self, sign_in: SignIn, query: StudyQuery) -> None:
        """Look for studies in a thread."""
        self._state.studies, self._state.study, self._state.series = None, None, ()
        self._start(
            Activity.RUNNING, "Searching the PACS", partial(self._on_found, sign_in), work.searching, sign_in, query
        )

    def _on_found(self, sign_in: SignIn, studies: tuple[PacsStudy, ...]) -> None:
        state = self._state
        state.connected = sign_in.address
        state.studies = studies[:MOST_STUDIES]
        if not studies:
            state.message = "No MR study fits. * stands for anything in the patient's ID."
        elif len(studies) > MOST_STUDIES:
            state.message = f"More than {MOST_STUDIES} studies fit, and {MOST_STUDIES} are shown. Narrow the search."
        elif len(studies) == 1:
            self.choose_study(sign_in, studies[0])

    def choose_study(self, sign_in: SignIn, study: PacsStudy | None) -> None:
        """List the series of a study in a thread; what was being listed is dropped."""
        if study is self._state.study and self._state.series:
            return
        self._state.study, self._state.series = study, ()
        if study is not None:
            self._start(Activity.RUNNING, "Listing series", self._on_listed, work.listing, sign_in, study)

    def _on_listed(self, series: tuple[PacsSeries, ...]) -> None:
        self._state.chosen = suggested_series(series)
        self._state.series = series

    # Open

    def open(self, sign_in: SignIn) -> None:
        """Fetch the chosen series in a thread and show them."""
        study = self._state.study
        if study is not None and self._state.chosen:
            arguments = (sign_in, study, self._state.chosen)
            self._start(Activity.OPENING, f"Opening {study.title}", self._on_opened, work.opening, *arguments)

    def add_to(self, project: Path, sign_in: SignIn) -> None:
        """Fetch the chosen series in a thread, as cases of the project in a folder."""
        study = self._state.study
        if study is not None and self._state.chosen:
            arguments = (sign_in, study, self._state.chosen, project)
            self._start(Activity.OPENING, f"Adding {study.title}", self._on_added, work.adding, *arguments)

    def _on_opened(self, opened: work.OpenedSeries) -> None:
        tell_problems(opened.problems)
        for data in opened.layers:
            self._viewer.layers.append(make_layer(data))
        self._viewer.reset_view()
        count = len(opened.layers)
        self._state.message = f"{opened.study.title} is open: {count} layer{'s' * (count != 1)}."

    def _on_added(self, added: work.AddedToProject) -> None:
        named = ", ".join(added.cases) or "Nothing"
        self._state.message = "\n".join((f"{named}: in the project {added.project}.", *added.refused))

    # Store

    def store(self, sign_in: SignIn) -> None:
        """Store the chosen outline in a thread, as what the state says."""
        layer = self._state.outline
        if layer is None:
            return
        metadata = dict(layer.metadata)
        if outline_of(layer) is None and CASE_KEY not in metadata:  # drawn from nothing: of the image it lies on
            metadata[KEY] = self._image_of(layer)
        order = work.StoreOrder(layer.name, np.array(layer.data), metadata, metadata.get(CASE_KEY), self._state.results)
        done = partial(self._on_stored, sign_in)
        self._start(Activity.EXPORTING, f"Storing {layer.name}", done, work.storing, sign_in, order)

    def _on_stored(self, sign_in: SignIn, stored: tuple[DicomResult, ...]) -> None:
        self._state.connected = sign_in.address
        *others, last = stored
        what = f"{', '.join(others)} and {last} are" if others else f"{last} is"
        self._state.message = f"{what} stored in {sign_in.address}."

    def refresh_outlines(self) -> None:
        """Offer the viewer's labels layers that are of DICOM series."""
        self._names.unfollow()
        found = [layer for layer in reversed(self._viewer.layers) if self._is_storable(layer)]
        for layer in found:
            self._names.follow(layer.events, ("name",), self.refresh_outlines)
        self._state.outlines = tuple(LayerChoice(layer, layer.name) for layer in found)
        if not any(layer is self._state.outline for layer in found):
            self._state.outline = found[0] if found else None

    def _is_storable(self, layer: Any) -> bool:
        from napari.layers import Labels

        if not isinstance(layer, Labels):
            return False
        entry = outline_of(layer)
        return is_series(entry.study) if entry is not None else self._image_of(layer) is not None

    def _image_of(self, layer: Labels) -> Channel | None:
        """What the DICOM image that ``layer`` lies on holds."""
        from napari.layers import Image

        for image in self._viewer.layers:
            entry = image.metadata.get(KEY) if isinstance(image, Image) else None
            if isinstance(entry, Channel) and is_series(entry.study) and layer in outlines_on(self._viewer, image):
                return entry
        return None

    # Work

    def _start(self, activity: Activity, title: str, done: Any, stream: Any, *arguments: object) -> None:
        self._run.close()
        self._state.message = self._state.problem = ""
        self._run.start(activity, title, done, stream, *arguments)

    def _on_notices(self) -> None:
        """All that a work here says is why it failed."""
        if self._state.notices:
            self._state.problem = self._state.notices[-1]


def is_series(study: Study) -> bool:
    """Whether a study came from a DICOM series, which outlines can refer to."""
    from metseg.study.formats.dicom import DicomReader

    return study.stored is not None and study.stored.format == DicomReader.name
