"""Which of a viewer's layers are listed.

napari lists every layer and has no public way to leave one out. Its list is a :class:`~qtpy.QtWidgets.QListView` in the
viewer's window whose items give their layer as user data, and Qt can hide its rows; they stay hidden while other layers
come, go and move. If no such list is found, nothing happens, and the layers stay listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qtpy.QtCore import QAbstractItemModel, Qt
from qtpy.QtWidgets import QApplication, QListView, QMainWindow

if TYPE_CHECKING:
    from napari.layers import Layer


def list_layer(layer: Layer, *, listed: bool) -> None:
    """Show or hide the row of a layer that is in a viewer; a hidden row cannot be reached by mouse or arrow keys."""
    for view in _lists():
        model = view.model()
        row = None if model is None else _row(model, layer)
        if row is not None:
            view.setRowHidden(row, not listed)


def _lists() -> Iterator[QListView]:
    for window in QApplication.topLevelWidgets():
        if isinstance(window, QMainWindow):
            yield from window.findChildren(QListView)


def _row(model: QAbstractItemModel, layer: Layer) -> int | None:
    rows = range(model.rowCount())
    return next((row for row in rows if model.index(row, 0).data(Qt.ItemDataRole.UserRole) is layer), None)
