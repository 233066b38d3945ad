"""The table of lesions: its rows in the order the user chose, and what keys and the mouse do in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]  # qtpy names it by another name
from qtpy.QtGui import (  # type: ignore[attr-defined]  # QAction is there
    QAction,
    QColor,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableWidget, QTableWidgetItem

from metseg.curation import LesionRow
from metseg.napari_plugin.studio.lesion_columns import COLUMNS, LesionColumn, chip, tooltip

_FEWEST_ROWS = 3
_CHIP = 10
_ROW_PADDING = 6
#: Beside a cell's text: as much as there is room for.
_CELL_PADDINGS = (8, 6)
_MOVING = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class LesionView(QTableWidget):
    """Shows lesions, each with its ``colour`` on the canvas; several can be selected.

    Keys that do not move within the table go to napari. A click on the header sorts, a right click on it chooses the
    columns.
    """

    #: The user moved to a row, by mouse or key.
    went = QtSignal(int)

    def __init__(self, colour: Callable[[int], QColor]) -> None:
        super().__init__(0, len(COLUMNS))
        self._colour = colour
        self._cells: dict[int, list[_Cell]] = {}
        self.rows: tuple[LesionRow, ...] = ()
        self.setObjectName("lesions")
        self.rows_chosen = QItemSelectionModel(self.model(), self)
        self.setSelectionModel(self.rows_chosen)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self._lines = QHeaderView(Qt.Orientation.Vertical, self)
        self._lines.hide()
        self._lines.setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        self.setVerticalHeader(self._lines)
        self._header = header = QHeaderView(Qt.Orientation.Horizontal, self)
        self.setHorizontalHeader(header)
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(28)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._choose_columns)
        self._titles = [QTableWidgetItem() for _ in COLUMNS]
        for index, (title, column) in enumerate(zip(self._titles, COLUMNS, strict=True)):
            title.setToolTip(column.explanation)
            title.setTextAlignment(column.alignment)
            self.setHorizontalHeaderItem(index, title)
        self._sort()
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        header.sortIndicatorChanged.connect(self._show_titles)
        self._chosen_by_user: set[int] = set()
        self._wanted = {index for index, column in enumerate(COLUMNS) if column.shown}
        self.setIconSize(QSize(_CHIP, _CHIP))
        self.clicked.connect(lambda index: self.went.emit(index.row()))
        self._show_titles()

    def show_rows(self, rows: tuple[LesionRow, ...]) -> None:
        """Show other rows; lesions that are still listed stay selected."""
        if rows == self.rows:
            return
        chosen, same = self.chosen, [row.lesion.id for row in rows] == list(self._cells)
        before, self.rows = {row.lesion.id: row for row in self.rows}, rows
        self.setSortingEnabled(False)
        if not same:
            self.setRowCount(0)
            self.setRowCount(len(rows))
            self._cells = {row.lesion.id: [_Cell(column) for column in COLUMNS] for row in rows}
            for place, cells in enumerate(self._cells.values()):
                for index, cell in enumerate(cells):
                    self.setItem(place, index, cell)
        for row in rows:
            if not same or row != before[row.lesion.id]:
                self._show_row(row)
        self._sort()
        if not same:
            self.choose(chosen)
        self._show_titles()

    def _sort(self) -> None:
        """Keep the rows sorted; Qt would draw an arrow over the title, which has its own."""
        self.setSortingEnabled(True)
        self._header.setSortIndicatorShown(False)

    def _show_row(self, row: LesionRow) -> None:
        cells = self._cells[row.lesion.id]
        cells[0].setIcon(chip(self._colour(row.lesion.id)))
        for cell in cells:
            cell.key = cell.described.key(row)
            cell.setText(cell.described.text(row))
            cell.setToolTip(tooltip(row))

    def _show_titles(self) -> None:
        """Titles with their units, and an arrow on the one by which the rows are sorted."""
        for index, (title, column) in enumerate(zip(self._titles, COLUMNS, strict=True)):
            text = column.heading(next(iter(self.rows), None))
            if index == self._header.sortIndicatorSection():
                arrow = "▴" if self._header.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder else "▾"
                text = f"{text} {arrow}" if "\n" in text else f"{text}\n{arrow}"
            title.setText(text)
        self._fit()

    def lesion(self, row: int) -> LesionRow:
        """The lesion in a row as shown."""
        return next(one for one in self.rows if self.place(one.lesion.id) == row)

    def place(self, lesion: int) -> int | None:
        """The row in which a lesion is shown."""
        return self._cells[lesion][0].row() if lesion in self._cells else None

    @property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the selected lesions, the current one first."""
        rows = sorted(index.row() for index in self.rows_chosen.selectedRows())
        current = self.currentIndex().row()
        rows.sort(key=lambda row: row != current)
        return tuple(self.lesion(row).lesion.id for row in rows)

    def choose(self, lesions: tuple[int, ...]) -> None:
        """Select these lesions, as far as they are listed, the first as the current one."""
        places = [place for place in map(self.place, lesions) if place is not None]
        selection = self.rows_chosen
        kinds = QItemSelectionModel.SelectionFlag
        selection.clearSelection()
        if not places:
            selection.setCurrentIndex(QModelIndex(), kinds.NoUpdate)
            return
        selection.setCurrentIndex(self._at(places[0]), kinds.NoUpdate)
        for place in places:
            selection.select(self._at(place), kinds.Select | kinds.Rows)
        self.scrollTo(self._at(places[0]))

    def _at(self, row: int) -> QModelIndex:
        return self.indexFromItem(self.item(row, 0))

    def on_screen(self, place: QPoint) -> QPoint:
        """Where a place among the rows is on the screen."""
        rows = self.viewport()
        return place if rows is None else rows.mapToGlobal(place)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give the columns the new width."""
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move, or select all; leave any other key to napari."""
        if event is None:
            return
        moving = event.key() in _MOVING
        if not moving and not event.matches(QKeySequence.StandardKey.SelectAll):
            event.ignore()
            return
        super().keyPressEvent(event)
        if moving and self.currentIndex().isValid():
            self.went.emit(self.currentIndex().row())

    def _has(self, column: LesionColumn) -> bool:
        """Whether there is such a column for the lesions shown."""
        return not column.spare or any(column.key(row) is not None for row in self.rows)

    def _fit(self) -> None:
        """Columns as wide as their contents need, and what is left shared out; never lower than a few rows."""
        for index, column in enumerate(COLUMNS):
            self.setColumnHidden(index, not (index in self._wanted and self._has(column)))
        shown = [index for index in range(len(COLUMNS)) if not self.isColumnHidden(index)]
        texts = [self._text_width(index) for index in shown]
        for index in [one for one in shown if COLUMNS[one].wide and one not in self._chosen_by_user]:
            if sum(texts) + _CELL_PADDINGS[0] * len(texts) > self._room():
                self.setColumnHidden(index, True)
                del texts[shown.index(index)]
                shown.remove(index)
        fitting = (padding for padding in _CELL_PADDINGS if sum(texts) + padding * len(texts) <= self._room())
        padding = next(fitting, _CELL_PADDINGS[-1])
        needed = [width + padding for width in texts]
        spare = max(self._room() - sum(needed), 0)
        for place, (index, width) in enumerate(zip(shown, needed, strict=True)):
            self.setColumnWidth(index, width + spare * (place + 1) // len(shown) - spare * place // len(shown))
        bar = self._bar_height() if sum(needed) > self._room() else 0
        head = self._header.sizeHint().height()
        self.setMinimumHeight(head + _FEWEST_ROWS * self._lines.defaultSectionSize() + bar + 2 * self.frameWidth())

    def _room(self) -> int:
        rows = self.viewport()
        return 0 if rows is None else rows.width()

    def _bar_height(self) -> int:
        bar = self.horizontalScrollBar()
        return 0 if bar is None else bar.sizeHint().height()

    def _text_width(self, index: int) -> int:
        lines = [*self._titles[index].text().splitlines(), *(cells[index].text() for cells in self._cells.values())]
        text = max(map(self.fontMetrics().horizontalAdvance, lines), default=0)
        return text + (index == 0) * (_CHIP + _CELL_PADDINGS[0])

    def _want(self, index: int, shown: bool) -> None:
        for chosen in (self._wanted, self._chosen_by_user):
            (chosen.add if shown else chosen.discard)(index)
        self._fit()

    def _choose_columns(self, place: QPoint) -> None:
        menu = QMenu(self)
        for index, column in enumerate(COLUMNS[1:], start=1):
            if not self._has(column):
                continue
            action = QAction(self._titles[index].text().replace("\n", " "), menu)
            action.setToolTip(column.explanation)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(index))
            action.toggled.connect(lambda shown, index=index: self._want(index, shown))
            menu.addAction(action)
        menu.exec(self._header.mapToGlobal(place))


class _Cell(QTableWidgetItem):
    """A cell; unknown values sort below known ones."""

    def __init__(self, column: LesionColumn) -> None:
        super().__init__()
        self.described = column
        self.key: Any = None
        self.setTextAlignment(column.alignment)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        if not isinstance(other, _Cell) or self.key is None or other.key is None:
            return self.key is None and isinstance(other, _Cell) and other.key is not None
        return bool(self.key < other.key)
