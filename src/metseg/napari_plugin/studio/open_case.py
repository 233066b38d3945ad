"""From a case on the disk to layers in the viewer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pint
from napari.layers import Image, Layer
from napari.utils.colormaps import CyclicLabelColormap

from metseg.curation import CaseSession, CaseView, Prediction, Project
from metseg.errors import UnreadableFileError
from metseg.napari_plugin.layers import LayerData, placement, study_layers
from metseg.napari_plugin.studio.case_labels import CaseLabels
from metseg.study import Sequence, Study

if TYPE_CHECKING:
    from napari.components import ViewerModel

#: Colours of lesions by id, then again from the first: told apart on grey, next to each other, and by most who do not
#: see all colours (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/, and lighter ones between them).
_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
    "#009e73",
    "#d55e00",
    "#9b8cff",
    "#7fe0c3",
    "#ff8fa3",
    "#b4d84b",
)
_OPACITY = 0.5


@dataclass(frozen=True, eq=False)
class OpenCase:
    """The case that the studio shows.

    Attributes
    ----------
    name : str
    view : CaseView
        What is on the disk; the session itself, if the case is edited.
    session : CaseSession or None
        ``None`` if the case is only looked at.
    study : Study
    images : tuple of Image
        A layer for each sequence.
    labels : CaseLabels
    prediction : Prediction or None
        The newest one that was taken over.
    guide : ndarray, shape (z, y, x)
        FLAIR, or the first sequence where there is none: what tools look at.
    """

    name: str
    view: CaseView
    session: CaseSession | None
    study: Study
    images: tuple[Image, ...]
    labels: CaseLabels
    prediction: Prediction | None
    guide: npt.NDArray[np.uint8 | np.uint16]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along (z, y, x)."""
        return self.view.shape

    @property
    def next_label(self) -> int:
        """An id above all that any lesion of this case ever had."""
        return max(self.view.next_label, int(self.labels.data.max(initial=0)) + 1)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A case as read from the disk, before there are layers.

    Attributes
    ----------
    layers : list of layer data tuples
        Of the images, in the order in which they lie in the viewer.
    problem : str
        What could not be read besides; empty if all could.
    """

    view: CaseView
    session: CaseSession | None
    study: Study
    layers: list[LayerData]
    prediction: Prediction | None
    problem: str = ""


class Opening:
    """A case that is being opened in a thread, and may be given up meanwhile.

    Parameters
    ----------
    project : Project
    name : str
        Of the case.
    annotator : str
        Pseudonym for the journal.
    after : tuple of callable
        Called in the thread at first: they wait until this case, if it was open here before, is closed.
    read_only : bool
        Just look at it.
    """

    def __init__(
        self,
        project: Project,
        name: str,
        annotator: str = "",
        *,
        after: tuple[Callable[[], object], ...] = (),
        read_only: bool = False,
    ) -> None:
        self.name = name
        self.read_only = read_only
        self._after = after
        self._project = project
        self._annotator = annotator
        self._mutex = threading.Lock()
        self._given_up = False
        self._ended = threading.Event()
        self._session: CaseSession | None = None

    def load(self) -> Loaded:
        """Read the case; run this in a thread.

        Raises
        ------
        CaseBusyError
            If somebody else has it open.
        DataError, UnreadableFileError
            See :meth:`metseg.curation.Project.open_case`.
        """
        try:
            for wait in self._after:
                wait()
            return self._load()
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Wait until :meth:`load` has ended."""
        self._ended.wait()

    def _load(self) -> Loaded:
        if self.read_only:
            return _load(self._project.read_case(self.name), None)
        session = self._project.open_case(self.name, annotator=self._annotator)
        try:
            loaded = _load(session, session)
        except BaseException:
            session.close()
            raise
        with self._mutex:
            if self._given_up:
                session.close()
            else:
                self._session = session
        return loaded

    def take(self) -> None:
        """What was loaded is in use now, and no longer closed by :meth:`give_up`."""
        with self._mutex:
            self._session = None

    def give_up(self) -> None:
        """Close what was loaded, now or as soon as it is."""
        with self._mutex:
            self._given_up = True
            if self._session is not None:
                self._session.close()
                self._session = None


def show(viewer: ViewerModel, loaded: Loaded, spare: OpenCase | None = None) -> OpenCase:
    """Put a case into the viewer.

    Parameters
    ----------
    viewer : ViewerModel
    loaded : Loaded
    spare : OpenCase, optional
        A case that was left and whose layers may be filled anew. It takes napari a second or two to remove and to add a
        case's layers, and a moment to show other voxels in them; colours and visibility stay as they were chosen.
    """
    fits = spare is not None and _fits(viewer, spare, loaded.study)
    images, labels = _refilled(spare, loaded) if spare is not None and fits else _added(viewer, loaded)
    labels.selected_label = loaded.view.next_label
    viewer.layers.selection.active = labels
    study = loaded.study
    guide = study.voxels[study.channel(Sequence.FLAIR)]
    return OpenCase(loaded.view.name, loaded.view, loaded.session, study, images, labels, loaded.prediction, guide)


def remove(viewer: ViewerModel, case: OpenCase) -> None:
    """Take a case's layers out of the viewer, as far as the user has not done so."""
    for layer in (*case.images, case.labels):
        if layer in viewer.layers:
            viewer.layers.remove(layer)


def _added(viewer: ViewerModel, loaded: Loaded) -> tuple[tuple[Image, ...], CaseLabels]:
    images = tuple(Layer.create(*layer) for layer in loaded.layers)
    labels = CaseLabels(
        loaded.view.labels,
        read_only=loaded.session is None,
        name=_title(loaded),
        opacity=_OPACITY,
        colormap=lesion_colours(),
        **placement(loaded.study.geometry.spacing),
    )
    for layer in (*images, labels):
        viewer.add_layer(layer)
    return images, labels


def _refilled(spare: OpenCase, loaded: Loaded) -> tuple[tuple[Image, ...], CaseLabels]:
    for image, (data, look, _) in zip(spare.images, loaded.layers, strict=True):
        image.data = data
        image.contrast_limits_range = image.contrast_limits = look["contrast_limits"]
        image.name, image.metadata = look["name"], look["metadata"]
        _place(image, loaded)
    spare.labels.refill(loaded.view.labels, read_only=loaded.session is None)
    spare.labels.name = _title(loaded)
    _place(spare.labels, loaded)
    return spare.images, spare.labels


def _fits(viewer: ViewerModel, spare: OpenCase, study: Study) -> bool:
    there = all(layer in viewer.layers for layer in (*spare.images, spare.labels))
    return there and spare.study.sequences == study.sequences and spare.study.voxels.dtype == study.voxels.dtype


def _place(layer: Layer, loaded: Loaded) -> None:
    spacing = loaded.study.geometry.spacing
    scale, unit = spacing or (1.0,) * layer.ndim, "pixel" if spacing is None else "mm"
    if tuple(layer.scale) != scale:
        layer.scale = scale
    if {str(known) for known in layer.units} != {"millimeter" if unit == "mm" else unit}:
        layer.units = (unit,) * layer.ndim


def _title(loaded: Loaded) -> str:
    return f"lesions · {loaded.view.name}{' (read only)' * (loaded.session is None)}"


def first_slice(labels: npt.NDArray[np.uint16]) -> int:
    """The slice to begin with: that with most lesion, or the middle one."""
    area = np.count_nonzero(labels, axis=(1, 2))
    return int(np.argmax(area)) if area.any() else len(labels) // 2


def lesion_colours() -> CyclicLabelColormap:
    """A colour for each lesion id; none for the background."""
    from napari.utils.color import ColorArray

    return CyclicLabelColormap(colors=ColorArray.validate(["transparent", *_COLOURS]), background_value=0)


def _load(view: CaseView, session: CaseSession | None) -> Loaded:
    pint.Quantity(1.0, "mm")  # has the units read here, half a second of work, and not in the window's thread
    study = view.study()
    prediction, problem = _prediction(view)
    return Loaded(view, session, study, study_layers(study), prediction, problem)


def _prediction(view: CaseView) -> tuple[Prediction | None, str]:
    """A case can be corrected without the prediction it came from; that it is damaged is told."""
    try:
        return view.prediction(), ""
    except UnreadableFileError as error:
        return None, str(error)
