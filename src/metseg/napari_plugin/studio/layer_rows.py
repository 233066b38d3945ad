"""Which of a viewer's layers are listed.

napari lists every layer and has no public way to leave one out. Its list is a :class:`~qtpy.QtWidgets.QListView` in the
viewer's window whose items give their layer as user data, and Qt can hide its rows; they stay hidden while other layers
come, go and move. If no such list is found, nothing happens, and the layers stay listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QListView, QMainWindow

if TYPE_CHECKING:
    from napari.layers import Layer


class LayerRows:
    """Hides rows of the layer list, and shows them again."""

    def __init__(self) -> None:
        self._unlisted: WeakSet[Layer] = WeakSet()
        self._views: tuple[QListView, ...] = ()

    def set_listed(self, layer: Layer, listed: bool) -> None:
        """Show or hide the row of a layer in a viewer; a hidden row cannot be reached by mouse or arrow keys."""
        if listed == (layer not in self._unlisted):
            return
        if listed:
            self._unlisted.discard(layer)
        else:
            self._unlisted.add(layer)
        for view, row in self._rows(layer):
            view.setRowHidden(row, not listed)

    def _rows(self, layer: Layer) -> list[tuple[QListView, int]]:
        """Where the layer is listed; the whole window is searched only if it is not where others were."""
        known = (view for view in self._views if isalive(view))  # type: ignore[no-untyped-call]  # qtpy has no type for it
        rows = _rows_in(known, layer)
        if not rows:
            rows = _rows_in(_lists(), layer)
            self._views = tuple(view for view, _ in rows)
        return rows


def _lists() -> Iterator[QListView]:
    for window in QApplication.topLevelWidgets():
        if isinstance(window, QMainWindow):
            yield from window.findChildren(QListView)


def _rows_in(views: Iterable[QListView], layer: Layer) -> list[tuple[QListView, int]]:
    return [
        (view, row)
        for view in views
        if (model := view.model()) is not None
        for row in range(model.rowCount())
        if model.index(row, 0).data(Qt.ItemDataRole.UserRole) is layer
    ]
