"""The cases of a project as a list: a line each, painted small so that many are seen at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QKeyEvent, QPainter, QPen
from qtpy.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from metseg.curation import CaseSummary, ReviewQueue, Status
from metseg.curation.enums import DONE
from metseg.curation.queue import QueueEntry
from metseg.napari_plugin.studio.colours import STATUS, VERMILION, Colours
from metseg.napari_plugin.studio.formatting import counted, status_name
from metseg.napari_plugin.translations import translate

_FEWEST_ROWS, _ROWS_SHOWN = 3, 6
_MARGIN, _DOT, _BAR, _GAP = 8, 7, 40, 8
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class CaseRow:
    """One line.

    Attributes
    ----------
    benefit : float
        Of looking at it, against the case with most: 0 to 1.
    note : str
        What to do, or where it stands.
    problem : bool
        It cannot be opened.
    """

    name: str
    status: Status
    benefit: float
    note: str
    tip: str
    problem: bool = False

    @property
    def quiet(self) -> bool:
        """Whether nothing is to be done about it."""
        return self.problem or self.status in DONE


def rows_of(
    cases: Sequence[CaseSummary], queue: ReviewQueue | None, left: Mapping[str, int] | None = None
) -> tuple[CaseRow, ...]:
    """The project as lines: what waits, in review order if that is known, then what is broken, then what is done.

    ``left`` is how many slices that matter are still to be looked at, by a case's name, where that is known better.
    """
    now = {case.name: case for case in cases}
    entries = [] if queue is None else [entry for entry in queue.entries if entry.case.name in now]
    broken = {case.name: case.problem for case in (() if queue is None else queue.problems)}
    broken |= {case.name: case.problem for case in cases if case.problem}
    ranked = {entry.case.name for entry in entries}
    entries += [QueueEntry(case, None) for case in cases if case.name not in ranked]
    waiting = [entry for entry in entries if entry.case.name not in broken and now[entry.case.name].status not in DONE]
    most = max((entry.benefit.rank for entry in waiting if entry.benefit is not None), default=0.0)
    return (
        *(_waiting_row(now[entry.case.name], entry, most, (left or {}).get(entry.case.name)) for entry in waiting),
        *(
            CaseRow(name, Status.TODO, 0, translate("studio", "cannot be opened"), problem, problem=True)
            for name, problem in broken.items()
        ),
        *(_done_row(case) for case in cases if case.name not in broken and case.status in DONE),
    )


def _waiting_row(case: CaseSummary, entry: QueueEntry, most: float, left: int | None) -> CaseRow:
    benefit = entry.benefit
    if benefit is None:
        note = translate("studio", "not predicted") if not case.model else status_name(case.status)
        return CaseRow(case.name, case.status, 0, note, f"{case.name}\n{case.status.value}; {case.shape[0]} slices")
    share = math.sqrt(benefit.rank / most) if most > 0 else 0.0
    leading = benefit.leading if left is None else left
    if not leading:
        note = translate("studio", "nothing left")
    else:
        note = translate("studio", "1 slice") if leading == 1 else translate("studio", "{count} slices")
        note = note.format(count=leading)
    tip = (
        f"{case.name}\n{case.status.value} by {case.model or 'hand'}, {counted(case.lesions, 'lesion')}\n"
        f"look at {leading} of {case.shape[0]} slices; expected Dice as it is: {benefit.dice:.2f}"
    )
    if benefit.disputed is not None:
        tip += f"\n{benefit.disputed:,.0f} voxels disputed between the networks"
    return CaseRow(case.name, case.status, share, note, tip)


def _done_row(case: CaseSummary) -> CaseRow:
    by = f" by {case.status_by}" if case.status_by else ""
    reason = f": {case.reason}" if case.reason else ""
    return CaseRow(
        case.name,
        case.status,
        0,
        status_name(case.status),
        f"{case.name}\n{case.status.value}{by}{reason}\n{counted(case.lesions, 'lesion')}",
    )


class CaseList(QListWidget):
    """The list; a double click or Return opens a case.

    ``chosen`` is called with the case's name, ``pointed`` with the line that was clicked or reached with the arrows.
    """

    def __init__(self, chosen: Callable[[str], object], pointed: Callable[[CaseRow], object], colours: Colours) -> None:
        super().__init__()
        self.rows: tuple[CaseRow, ...] = ()
        self.here = ""
        self._chosen = chosen
        self._pointed = pointed
        self.setItemDelegate(_CaseDelegate(self, colours))
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.activated.connect(self._on_activated)
        self.clicked.connect(self._on_pointed)

    def show_rows(self, rows: tuple[CaseRow, ...], here: str) -> None:
        """Show lines, and the open case, ``here``, among them."""
        if (rows, here) == (self.rows, self.here):
            return
        moved = here != self.here
        bar = self.verticalScrollBar()
        place = 0 if bar is None else bar.value()
        self.rows, self.here = rows, here
        self.clear()
        for row in rows:
            item = QListWidgetItem(row.name, self)
            item.setToolTip(row.tip)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{row.name}, {row.note}")
            if row.name == here:
                self.setCurrentItem(item)
        if not moved and bar is not None:
            bar.setValue(place)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Room for a few lines."""
        return self._size(_ROWS_SHOWN)

    def minimumSizeHint(self) -> QSize:
        """Room for fewer, in a low window."""
        return self._size(_FEWEST_ROWS)

    def _size(self, most: int) -> QSize:
        height = self.sizeHintForRow(0) if self.rows else self.fontMetrics().height() + 10
        shown = min(max(len(self.rows), 2), most)
        return QSize(200, height * shown + 2 * self.frameWidth())

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:
        """Report which line the arrow keys have reached."""
        super().keyReleaseEvent(event)
        if self.currentIndex().isValid():
            self._on_pointed(self.currentIndex())

    def _on_pointed(self, index: QModelIndex) -> None:
        self._pointed(self.rows[index.row()])

    def _on_activated(self, index: QModelIndex) -> None:
        row = self.rows[index.row()]
        if not row.problem:
            self._chosen(row.name)


class _CaseDelegate(QStyledItemDelegate):
    def __init__(self, cases: CaseList, colours: Colours) -> None:
        super().__init__(cases)
        self._cases = cases
        self.colours = colours

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, option.fontMetrics.height() + 10)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: _Index) -> None:
        if painter is None:
            return
        row = self._cases.rows[index.row()]
        here = row.name == self._cases.here
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect)
        self._paint_ground(painter, area, option, here)
        self._paint_dot(painter, row, area)
        metrics = option.fontMetrics
        usual = translate("studio", "{count} slices").format(count="00")
        note = metrics.horizontalAdvance(usual if row.benefit > 0 else row.note)
        right = area.right() - _MARGIN - note
        painter.setPen(QColor(VERMILION) if row.problem else self.colours.quiet)
        painter.drawText(
            QRectF(right, area.top(), note, area.height()), _MIDDLE | Qt.AlignmentFlag.AlignRight, row.note
        )
        left = area.left() + 2 * _MARGIN + _DOT
        room = right - left - _GAP
        if row.benefit > 0:
            room -= _BAR + _GAP
            self._paint_bar(painter, QRectF(right - _GAP - _BAR, area.center().y() - 2, _BAR, 4), row.benefit)
        painter.setPen(self.colours.quiet if row.quiet else self.colours.text)
        font = painter.font()
        font.setBold(here)
        painter.setFont(font)
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideMiddle, int(room))
        painter.drawText(QRectF(left, area.top(), room, area.height()), _MIDDLE | Qt.AlignmentFlag.AlignLeft, name)
        painter.restore()

    def _paint_ground(self, painter: QPainter, area: QRectF, option: QStyleOptionViewItem, here: bool) -> None:
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if here or chosen or over:
            painter.fillRect(area, self.colours.line)
        if here:
            painter.fillRect(QRectF(area.left(), area.top(), 3, area.height()), self.colours.accent)

    def _paint_dot(self, painter: QPainter, row: CaseRow, area: QRectF) -> None:
        dot = QRectF(area.left() + _MARGIN + 2, area.center().y() - _DOT / 2, _DOT, _DOT)
        filled = VERMILION if row.problem else STATUS[row.status]
        painter.setPen(QPen(QColor(filled) if filled else self.colours.quiet, 1.2))
        painter.setBrush(QColor(filled) if filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(dot)

    def _paint_bar(self, painter: QPainter, area: QRectF, share: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.colours.line)
        painter.drawRoundedRect(area, 2, 2)
        painter.setBrush(self.colours.accent)
        painter.drawRoundedRect(QRectF(area.left(), area.top(), max(area.width() * share, 4), area.height()), 2, 2)


_MIDDLE = Qt.AlignmentFlag.AlignVCenter
