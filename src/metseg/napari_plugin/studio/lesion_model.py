"""The lesion table's rows for Qt: what each column says, how it sorts, what its header explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap

from metseg.curation import LesionRow, Origin

#: Role under which a cell gives what it sorts by.
SORT_ROLE = Qt.ItemDataRole.UserRole
_UNKNOWN = "–"
_CHIP = 10
_EDITORS = {Origin.AUTOMATIC: "auto", Origin.SEMIAUTOMATIC: "mixed", Origin.MANUAL: "hand"}
_NOWHERE = QModelIndex()


@dataclass(frozen=True)
class LesionColumn:
    """A column: ``title`` above it (``{volume}`` and ``{length}`` stand for units), ``tip`` on it, what its cells say.

    ``key`` is what the column sorts by; ``None``, not known, sorts first. ``words`` are no numbers. Those not ``shown``
    can be. Those that are ``spare`` are left out while they are known of no lesion; ``wide`` ones, one after the
    other, while there is no room for all, unless they were asked for.
    """

    title: str
    tip: str
    text: Callable[[LesionRow], str]
    key: Callable[[LesionRow], Any]
    words: bool = False
    shown: bool = True
    spare: bool = False
    wide: bool = False

    @property
    def alignment(self) -> Qt.AlignmentFlag:
        """Numbers stand to the right, words to the left."""
        side = Qt.AlignmentFlag.AlignLeft if self.words else Qt.AlignmentFlag.AlignRight
        return side | Qt.AlignmentFlag.AlignVCenter


COLUMNS = (
    LesionColumn("No.", "Number and colour of the lesion.", lambda row: str(row.lesion.id), lambda row: row.lesion.id),
    LesionColumn("Slices", "First and last slice.", lambda row: _slices(row), lambda row: row.lesion.slices),
    LesionColumn(
        "Volume\n{volume}",
        "Volume in mm³ if the voxel size is known, else voxels.",
        lambda row: f"{row.volume[0]:,.0f}",
        lambda row: row.volume[0],
    ),
    LesionColumn(
        "Length\n{length}",
        "Longest diameter within one slice, in mm if the voxel size is known, else pixels.",
        lambda row: f"{row.diameter[0]:.1f}",
        lambda row: row.diameter[0],
    ),
    LesionColumn(
        "Across\nmm",
        "Longest extent at right angles to the length, in the same slice.",
        lambda row: _number(row.lesion.perpendicular_mm, 1),
        lambda row: row.lesion.perpendicular_mm,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        "RANO",
        "Whether the lesion has the size that RANO-BM calls measurable: 10 mm long, 5 mm across, on two slices.",
        lambda row: "yes" if row.lesion.measurable else "",
        lambda row: row.lesion.measurable,
        words=True,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        "Side",
        "Of the patient; midline within 10 mm of the middle of the head.",
        lambda row: str(row.lesion.side or _UNKNOWN),
        lambda row: row.lesion.side,
        words=True,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        "Prob.",
        "Mean probability that the network gives to the lesion's voxels, 0 to 1.",
        lambda row: _number(row.lesion.mean_probability),
        lambda row: row.lesion.mean_probability,
        spare=True,
    ),
    LesionColumn(
        "Unsure\nbits",
        "How unsure the network is in and around the lesion: mean entropy, 0 if certain, 1 if it tosses a coin.",
        lambda row: _number(row.uncertainty),
        lambda row: row.uncertainty,
        spare=True,
        wide=True,
    ),
    LesionColumn(
        "Nets\napart",
        "How far the ensemble's networks are apart in the lesion: mean, 0 if they agree, 1 if one is sure that it is "
        "lesion and another that it is none.",
        lambda row: _number(row.disagreement),
        lambda row: row.disagreement,
        spare=True,
        wide=True,
    ),
    LesionColumn(
        "Edge",
        "Whether the lesion reaches a face of the volume, so that it may go on beyond it.",
        lambda row: "yes" if row.lesion.touches_border else "",
        lambda row: row.lesion.touches_border,
        words=True,
        shown=False,
    ),
    LesionColumn(
        "By",
        "Who drew it: auto (the network), mixed (network or tool, and a person), or hand.",
        lambda row: _EDITORS[row.origin] if row.origin is not None else _UNKNOWN,
        lambda row: list(_EDITORS).index(row.origin) if row.origin is not None else -1,
        words=True,
    ),
)


class LesionModel(QAbstractTableModel):
    """Rows of the lesion table, each with its lesion's colour on the canvas."""

    def __init__(self, colour: Callable[[int], QColor], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._colour = colour
        self._rows: tuple[LesionRow, ...] = ()

    @property
    def rows(self) -> tuple[LesionRow, ...]:
        """The lesions shown, in the order of their ids."""
        return self._rows

    def has(self, column: int) -> bool:
        """Whether there is such a column for the lesions shown."""
        described = COLUMNS[column]
        return not described.spare or any(described.key(row) is not None for row in self._rows)

    def show(self, rows: tuple[LesionRow, ...]) -> bool:
        """Show other rows; whether other lesions are listed now, so that what was selected no longer is."""
        if rows == self._rows:
            return False
        same = [row.lesion.id for row in rows] == [row.lesion.id for row in self._rows]
        if same:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
        else:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        return not same

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """One row for each lesion."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """As many as :data:`COLUMNS`."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, colour chip, tooltip, alignment or sort key of a cell."""
        row, column = self._rows[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.text(row)
            case Qt.ItemDataRole.DecorationRole if index.column() == 0:
                return chip(self._colour(row.lesion.id))
            case Qt.ItemDataRole.ToolTipRole:
                return _tooltip(row)
            case Qt.ItemDataRole.TextAlignmentRole:
                return column.alignment
            case _:
                return column.key(row) if role == SORT_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Title with unit, or tooltip, of a column."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return column.alignment
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return _title(column, next(iter(self._rows), None))


class SortedLesions(QSortFilterProxyModel):
    """The rows of a :class:`LesionModel` in the order the user chose; unknown values sort below known ones."""

    def __init__(self, model: LesionModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lesions = model
        self.setSourceModel(model)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Compare what two cells sort by."""
        first, second = (self._lesions.data(index, SORT_ROLE) for index in (left, right))
        if first is None or second is None:
            return first is None and second is not None
        return bool(first < second)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The title, with an arrow below it if the rows are sorted by this column."""
        title = super().headerData(section, orientation, role)
        if role != Qt.ItemDataRole.DisplayRole or section != self.sortColumn() or title is None:
            return title
        arrow = "▴" if self.sortOrder() is Qt.SortOrder.AscendingOrder else "▾"
        return f"{title} {arrow}" if "\n" in title else f"{title}\n{arrow}"

    def has(self, column: int) -> bool:
        """Whether there is such a column for the lesions shown."""
        return self._lesions.has(column)

    def lesion(self, row: int) -> LesionRow:
        """The lesion in a row as shown."""
        return self._lesions.rows[self.mapToSource(self.index(row, 0)).row()]

    def place(self, lesion: int) -> int | None:
        """The row in which a lesion is shown."""
        ids = [row.lesion.id for row in self._lesions.rows]
        if lesion not in ids:
            return None
        return self.mapFromSource(self._lesions.index(ids.index(lesion), 0)).row()


def chip(colour: QColor) -> QIcon:
    """A square that keeps its colour when its row is selected."""
    square = QPixmap(_CHIP, _CHIP)
    square.fill(colour)
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(square, mode)
    return icon


def _title(column: LesionColumn, measured: LesionRow | None) -> str:
    """A column's title with the unit that its numbers have."""
    units = ("", "") if measured is None else (measured.volume[1], measured.diameter[1])
    return column.title.format(volume=units[0], length=units[1])


def _slices(row: LesionRow) -> str:
    first, last = row.slice_numbers or (row.lesion.slices[0] + 1, row.lesion.slices[1] + 1)
    return str(first) if first == last else f"{first}–{last}"


def _number(value: float | None, digits: int = 2) -> str:
    return _UNKNOWN if value is None else f"{value:.{digits}f}"


def _tooltip(row: LesionRow) -> str:
    told = (column for column in COLUMNS if not column.spare or column.key(row) is not None)
    texts = {" ".join(_title(column, row).split()): column.text(row) for column in told}
    lines = [f"{title}: {text}" for title, text in texts.items() if text]
    return "\n".join([*lines, f"Voxels: {row.lesion.n_voxels:,}"])
