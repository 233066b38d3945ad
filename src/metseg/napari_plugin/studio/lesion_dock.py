"""The lesion table's place: a dock of its own below napari's list of layers, where a low window has room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QVBoxLayout

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.napari_plugin.studio.lesion_table import LesionPanel

_TITLE = "Lesions"


class LesionDock(QObject):
    """Docks the lesion table when it is first needed; without window, or once closed, it is in ``below``."""

    def __init__(self, viewer: ViewerModel, panel: LesionPanel, below: QVBoxLayout) -> None:
        super().__init__()
        self._window = getattr(viewer, "window", None)
        self._panel = panel
        self._below = below
        self._docked = self._closed = False
        panel.hide()

    def set_shown(self, shown: bool) -> None:
        """Show or hide the table."""
        if shown and self._window is not None and not self._docked and not self._closed:
            self._docked = True
            self._window.add_dock_widget(self._panel, name=_TITLE, area="left", add_vertical_stretch=False)
            self._panel.installEventFilter(self)
        elif shown and self._panel.parent() is None:
            self._below.addWidget(self._panel)
        if self._docked:
            dock = self._panel.parentWidget()
            if dock is not None:
                dock.setVisible(shown)
        self._panel.setVisible(shown)

    def close(self) -> None:
        """Take the dock away."""
        self._closed = True
        if self._docked and self._window is not None:
            self._panel.removeEventFilter(self)
            self._docked = False
            if self._panel.parent() is not None:
                self._window.remove_dock_widget(self._panel)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the table when the user closes its dock."""
        moved = watched is self._panel and event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self._docked and self._panel.parent() is None:
            self._panel.removeEventFilter(self)
            self._docked, self._closed = False, True
            self._below.addWidget(self._panel)
            self._panel.show()
        return False
