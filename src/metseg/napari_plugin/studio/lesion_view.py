"""The lesion table's look, and what keys and the mouse do in it."""

from __future__ import annotations

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]  # qtpy names it by another name
from qtpy.QtGui import QAction, QKeyEvent, QKeySequence, QResizeEvent  # type: ignore[attr-defined]  # QAction is there
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from metseg.napari_plugin.studio.lesion_model import COLUMNS, SortedLesions

_FEWEST_ROWS = 3
_CHIP = 10
_ROW_PADDING = 6
#: Beside a cell's text: as much as there is room for.
_CELL_PADDINGS = (8, 6)
_MOVING = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class LesionView(QTableView):
    """Shows sorted lesions; several can be selected.

    Keys that do not move within the table go to napari. A click on the header sorts, a right click on it chooses the
    columns.
    """

    #: The user moved to a row, by mouse or key.
    went = QtSignal(int)

    def __init__(self, lesions: SortedLesions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lesions = lesions
        self.setObjectName("lesions")
        self.setModel(lesions)
        self.rows_chosen = QItemSelectionModel(lesions, self)
        self.setSelectionModel(self.rows_chosen)
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
        self.setSortingEnabled(True)
        header.setSortIndicatorShown(False)  # the titles show it
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self._asked: set[int] = set()
        self._wanted = {index for index, column in enumerate(COLUMNS) if column.shown}
        self.setIconSize(QSize(_CHIP, _CHIP))
        self.clicked.connect(lambda index: self.went.emit(index.row()))
        for signal in (lesions.modelReset, lesions.headerDataChanged):
            signal.connect(self._fit)
        self._fit()

    @property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the selected lesions, the current one first."""
        rows = sorted(index.row() for index in self.rows_chosen.selectedRows())
        current = self.currentIndex().row()
        rows.sort(key=lambda row: row != current)
        return tuple(self._lesions.lesion(row).lesion.id for row in rows)

    def choose(self, lesions: tuple[int, ...]) -> None:
        """Select these lesions, as far as they are listed, the first as the current one."""
        places = [place for place in map(self._lesions.place, lesions) if place is not None]
        selection = self.rows_chosen
        kinds = QItemSelectionModel.SelectionFlag
        selection.clearSelection()
        if not places:
            selection.setCurrentIndex(QModelIndex(), kinds.NoUpdate)
            return
        selection.setCurrentIndex(self._lesions.index(places[0], 0), kinds.NoUpdate)
        for place in places:
            selection.select(self._lesions.index(place, 0), kinds.Select | kinds.Rows)
        self.scrollTo(self._lesions.index(places[0], 0))

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

    def _fit(self) -> None:
        """Columns as wide as their contents need, and what is left shared out; never lower than a few rows."""
        for index in range(len(COLUMNS)):
            self.setColumnHidden(index, not (index in self._wanted and self._lesions.has(index)))
        shown = [index for index in range(len(COLUMNS)) if not self.isColumnHidden(index)]
        texts = [self._text_width(index) for index in shown]
        for index in [one for one in shown if COLUMNS[one].wide and one not in self._asked]:
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
        title = str(self._lesions.headerData(index, Qt.Orientation.Horizontal))
        cells = [str(self._lesions.index(row, index).data()) for row in range(self._lesions.rowCount())]
        text = max(self.fontMetrics().horizontalAdvance(line) for line in [*title.splitlines(), *cells])
        return text + (index == 0) * (_CHIP + _CELL_PADDINGS[0])

    def _want(self, index: int, shown: bool) -> None:
        for chosen in (self._wanted, self._asked):
            (chosen.add if shown else chosen.discard)(index)
        self._fit()

    def _choose_columns(self, place: QPoint) -> None:
        menu = QMenu(self)
        for index, column in enumerate(COLUMNS[1:], start=1):
            if not self._lesions.has(index):
                continue
            title = str(self._lesions.headerData(index, Qt.Orientation.Horizontal)).replace("\n", " ")
            action = QAction(title, menu)
            action.setToolTip(column.tip)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(index))
            action.toggled.connect(lambda shown, index=index: self._want(index, shown))
            menu.addAction(action)
        menu.exec(self._header.mapToGlobal(place))
