"""The earlier examination in a canvas of its own, beside that of the viewer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from metseg.napari_plugin.patient_sides import PatientSides

if TYPE_CHECKING:
    from napari.viewer import Viewer

_TITLE = "Earlier examination"
_MARGIN = 0.02


class EarlierView:
    """A second viewer in the window of the first, to its left and as large.

    Parameters
    ----------
    viewer : napari viewer
        In whose window it is.

    Attributes
    ----------
    model : ViewerModel
        What it shows.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._canvas: QtViewer | None = None
        self._sides: PatientSides | None = None
        self.model = ViewerModel()

    @property
    def shown(self) -> bool:
        """Whether it is on the screen."""
        dock = self._dock
        return dock is not None and not dock.isHidden()

    def show(self) -> None:
        """Put it into the window, with half of the room that the images have; the images are fitted in once."""
        first = self._canvas is None
        if self._canvas is None:
            self._canvas = QtViewer(self.model)
            self._sides = PatientSides(self.model)
            self._viewer.window.add_dock_widget(self._canvas, name=_TITLE, area="left")
            dock, window = self._dock, self._window
            if dock is not None and window is not None:
                dock.setTitleBarWidget(QWidget())  # so that both images stand at the same height
                window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock, Qt.Orientation.Horizontal)
        dock = self._dock
        if dock is not None:
            dock.setVisible(True)
            QTimer.singleShot(0, partial(self._halve, fit=first))  # once the window has its size

    def hide(self) -> None:
        """Give the room back to the viewer."""
        dock = self._dock
        if dock is not None:
            dock.setVisible(False)

    def close(self) -> None:
        """Take it out of the window, for good."""
        canvas, self._canvas = self._canvas, None
        if self._sides is not None:
            self._sides.close()
            self._sides = None
        if canvas is None or not _alive(canvas):
            return
        if canvas.parentWidget() is not None:
            self._viewer.window.remove_dock_widget(canvas)
        canvas.close()

    @property
    def _dock(self) -> QDockWidget | None:
        canvas = self._canvas
        parent = None if canvas is None or not _alive(canvas) else canvas.parentWidget()
        return parent if isinstance(parent, QDockWidget) else None

    @property
    def _window(self) -> QMainWindow | None:
        parent = None if self._dock is None else self._dock.parentWidget()
        return parent if isinstance(parent, QMainWindow) else None

    def _halve(self, *, fit: bool) -> None:
        dock, window = self._dock, self._window
        central = None if window is None else window.centralWidget()
        if dock is not None and window is not None and central is not None:
            window.resizeDocks([dock], [(central.width() + dock.width()) // 2], Qt.Orientation.Horizontal)
            if fit:
                QTimer.singleShot(0, partial(self._viewer.reset_view, margin=_MARGIN))


def _alive(widget: Any) -> bool:
    return bool(isalive(widget))  # type: ignore[no-untyped-call]  # qtpy has no type for it
