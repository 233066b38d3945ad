"""A case that is open, and how it is read from the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from metseg.curation import CaseSession, CaseView, Note, Prediction, Project
from metseg.errors import UnreadableFileError
from metseg.napari_plugin.layers import LayerData, study_layers
from metseg.napari_plugin.studio.preparation import prepare
from metseg.study import Sequence, Study

if TYPE_CHECKING:
    from napari.layers import Image

    from metseg.napari_plugin.studio.case_labels import CaseLabels


@dataclass(frozen=True, eq=False)
class OpenCase:
    """The case that the studio shows.

    Attributes
    ----------
    view : CaseView
        What is on the disk; the session itself, if the case is edited.
    session : CaseSession or None
        ``None`` if the case is only looked at.
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

    @classmethod
    def of(cls, loaded: LoadedCase, images: tuple[Image, ...], labels: CaseLabels) -> OpenCase:
        """What was loaded, in the layers that show it."""
        study, view = loaded.study, loaded.view
        guide = study.voxels[study.channel(Sequence.FLAIR)]
        return cls(view.name, view, loaded.session, study, images, labels, loaded.prediction, guide)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along (z, y, x)."""
        return self.view.shape

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number by which people call each slice."""
        return self.view.description.slice_numbers

    @property
    def next_label(self) -> int:
        """An id above all that any lesion of this case ever had."""
        return max(self.view.next_label, int(self.labels.data.max(initial=0)) + 1)


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """A case as read from the disk, before there are layers; ``problem`` is what could not be read besides."""

    view: CaseView
    session: CaseSession | None
    study: Study
    layers: list[LayerData]
    prediction: Prediction | None
    problem: str = ""
    notes: tuple[Note, ...] = ()


class CaseLoader:
    """A case that is being opened in a thread, and may be given up meanwhile.

    ``after`` is called in the thread at first: it waits until this case, if it was open here before, is closed.
    """

    def __init__(
        self,
        project: Project,
        name: str,
        annotator: str = "",
        *,
        after: Callable[[], object],
        read_only: bool = False,
    ) -> None:
        self.name = name
        self.read_only = read_only
        self._after = after
        self._project = project
        self._annotator = annotator
        self._mutex = threading.Lock()
        self._given_up = False
        self._session: CaseSession | None = None
        self._closing: threading.Thread | None = None

    def load(self) -> LoadedCase:
        """Read the case; run this in a thread.

        Raises
        ------
        CaseBusyError
            If somebody else has it open.
        DataError, UnreadableFileError
            See :meth:`metseg.curation.Project.open_case`.
        """
        self._after()
        if self.read_only:
            return _load(self._project.read_case(self.name), None)
        session = self._project.open_case(self.name, annotator=self._annotator)
        try:
            loaded = _load(session, session)
        except BaseException:
            session.close()
            raise
        with self._mutex:
            given_up = self._given_up
            if not given_up:
                self._session = session
        if given_up:
            session.close()
        return loaded

    def take(self) -> None:
        """What was loaded is in use now, and no longer closed by :meth:`give_up`."""
        with self._mutex:
            self._session = None

    def give_up(self) -> None:
        """Close what was loaded, or as soon as it is, in a thread."""
        with self._mutex:
            self._given_up = True
            session, self._session = self._session, None
        if session is None:
            return
        self._closing = threading.Thread(target=session.close, name="metseg-close")
        try:
            self._closing.start()
        except RuntimeError:  # Python is about to end and starts no threads
            self._closing = None
            session.close()

    def wait(self) -> None:
        """Wait until what was given up is closed, and what was to be closed before; in any thread."""
        self._after()
        if self._closing is not None:
            self._closing.join()


def first_slice(labels: npt.NDArray[np.uint16]) -> int:
    """The slice to begin with: that with most lesion, or the middle one."""
    area = np.count_nonzero(labels, axis=(1, 2))
    return int(np.argmax(area)) if area.any() else len(labels) // 2


def _load(view: CaseView, session: CaseSession | None) -> LoadedCase:
    prepare()
    study = view.study()
    prediction, problem = _prediction(view)
    return LoadedCase(view, session, study, study_layers(study), prediction, problem, view.notes())


def _prediction(view: CaseView) -> tuple[Prediction | None, str]:
    """A case can be corrected without the prediction it came from; that it is damaged is reported."""
    try:
        return view.prediction(), ""
    except UnreadableFileError as error:
        return None, str(error)
