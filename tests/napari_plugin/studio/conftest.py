"""A studio on a small project of real files; napari's viewer without a window, where none is needed."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from metseg.curation import CaseView, EditKind, Project, Record
from metseg.study import find_studies, load, write_tiff

SHAPE = (6, 48, 40)
Wait = Callable[..., None]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images of two patients, ``ada`` and ``bob``: FLAIR alone, with spacing."""
    for seed, name in enumerate(("ada", "bob")):
        (tmp_path / "data" / name).mkdir(parents=True)
        voxels = np.random.default_rng(seed).integers(0, 255, SHAPE, np.uint8)
        write_tiff(tmp_path / "data" / name / f"{name}.tif", voxels, spacing=(3.0, 0.5, 0.5))
    return tmp_path / "data"


@pytest.fixture
def project(tmp_path: Path, data: Path) -> Project:
    """A project of the two, without labels."""
    made = Project.create(tmp_path / "project")
    for files in find_studies(data):
        for study in load(files).studies:
            made.add(study)
    return made


@pytest.fixture
def model(qapp: Any) -> Any:
    """A viewer without a window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test begins with the settings that a new user has, in English."""
    from qtpy.QtCore import QSettings

    from metseg.napari_plugin.studio.settings import settings

    folder = tmp_path_factory.mktemp("settings")
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    settings().setValue("language", "en")


@pytest.fixture
def notifications(notifications: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What napari was told to show, and what studios have shown in their headers."""
    from metseg.napari_plugin.studio.studio import Studio

    report = Studio.report

    def keep(studio: Studio, text: str) -> None:
        notifications.append(text)
        report(studio, text)

    monkeypatch.setattr(Studio, "report", keep)
    return notifications


@pytest.fixture
def make_studio(patiently: Wait, project: Project, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Studios on a viewer, with the project and, if it is named, a case open; closed at the end."""
    if "notifications" in request.fixturenames:
        request.getfixturevalue("notifications")  # before a studio is made, which keeps its methods
    from metseg.napari_plugin.studio.studio import Studio

    made: list[Studio] = []

    def make(viewer: Any, case: str = "") -> Studio:
        studio = Studio(viewer)
        studio.find_networks = lambda: None  # type: ignore[method-assign]  # imports torch: not needed here
        made.append(studio)
        studio.open_project(project.path)
        patiently(lambda: studio.state.project is not None and not studio.busy)
        if case:
            studio.open_case(case)
            patiently(lambda: not studio.busy)
        return studio

    yield make
    for studio in made:
        studio.close()


@pytest.fixture
def studio(make_studio: Callable[..., Any], model: Any) -> Any:
    """A studio with case ``ada`` open."""
    return make_studio(model, "ada")


@pytest.fixture
def records() -> Callable[[CaseView], list[Record]]:
    """What the journal says was edited, oldest first."""
    return lambda view: [record for record in view.history() if isinstance(record.kind, EditKind)]


@pytest.fixture
def listed(qapp: Any) -> Callable[[], list[str]]:
    """Names of the layers that napari's list shows, from the top."""
    from napari._qt.containers import QtLayerList

    def names() -> list[str]:
        [view] = (widget for widget in qapp.allWidgets() if isinstance(widget, QtLayerList))
        rows = range(view.model().rowCount())
        return [view.model().index(row, 0).data() for row in rows if not view.isRowHidden(row)]

    return names


@pytest.fixture
def drag() -> Callable[..., None]:
    """Press the mouse on a layer, move it through places (z, y, x in voxels), and let go."""
    from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
    from wrapt import ObjectProxy

    def event(layer: Any, kind: str, place: Sequence[float], button: int) -> Any:
        return ObjectProxy(_event(layer, kind, place, button))  # napari puts the next event into the first one's proxy

    def _event(layer: Any, kind: str, place: Sequence[float], button: int) -> Any:
        return SimpleNamespace(
            type=kind,
            position=tuple(layer.data_to_world(place)),
            view_direction=None,
            dims_displayed=[1, 2],
            dims_point=[0, 0, 0],
            up_direction=None,
            button=button,
            modifiers=(),
            is_dragging=kind == "mouse_move",
            handled=False,
        )

    def drag(
        layer: Any, places: Sequence[Sequence[float]], button: int = 1, between: Callable[[], object] | None = None
    ) -> None:
        mouse_press_callbacks(layer, event(layer, "mouse_press", places[0], button))
        for place in places[1:]:
            mouse_move_callbacks(layer, event(layer, "mouse_move", place, button))
            if between is not None:
                between()
        mouse_release_callbacks(layer, event(layer, "mouse_release", places[-1], button))

    drag.event = event  # type: ignore[attr-defined]
    return drag


@pytest.fixture
def widget(viewer: Any, project: Project, patiently: Wait) -> Iterator[Any]:
    """The studio in a real window, with case ``ada`` open."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio = widget.studio
    studio.find_networks = lambda: None
    studio.open_project(project.path)
    patiently(lambda: studio.state.project is not None)
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    yield widget
    widget.close_session()


class HeldDisk:
    """Files that threads write reach the disk when they are let; the window's thread must write none.

    Attributes
    ----------
    in_window : list of str
        From where the window's thread wrote.
    waited_for : bool
        Whether a thread was held for so long that the window's thread must have waited for it.
    """

    def __init__(self) -> None:
        self._free = threading.Event()
        self._fsync = os.fsync
        self.in_window: list[str] = []
        self.waited_for = False
        self.release()

    def hold(self) -> None:
        """Let nothing reach the disk from now on."""
        self._free.clear()

    def release(self) -> None:
        """Let everything reach it."""
        self._free.set()

    def fsync(self, descriptor: int) -> None:
        """Stands for :func:`os.fsync`."""
        if threading.current_thread() is not threading.main_thread():
            self.waited_for |= not self._free.wait(20)
        elif not self._free.is_set():
            self.in_window.append("".join(traceback.format_stack(limit=12)))
        self._fsync(descriptor)


@pytest.fixture
def held_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldDisk]:
    """A disk that can be held; in the end the window's thread must neither have written to it nor waited for it."""
    disk = HeldDisk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    yield disk
    disk.release()
    assert not disk.in_window, disk.in_window[0]
    assert not disk.waited_for
