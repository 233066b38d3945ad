"""The promotion check's result, and parent and child side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QWidget

from metseg.curation import PromotionResult
from metseg.napari_plugin.controls import Hint, column
from metseg.napari_plugin.studio.colours import GREEN, ORANGE, VERMILION
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.retraining import ComparedScan, ModelScores, PromotionCheck

_MOST_ROWS = 8
_ROW_PADDING = 6
_TITLES = {
    PromotionResult.PASSED: QT_TRANSLATE_NOOP("studio", "The new network passed"),
    PromotionResult.FAILED: QT_TRANSLATE_NOOP("studio", "The new network did not pass"),
    PromotionResult.UNDECIDED: QT_TRANSLATE_NOOP("studio", "Nothing was decided"),
}
_COLOURS = {PromotionResult.PASSED: GREEN, PromotionResult.FAILED: VERMILION, PromotionResult.UNDECIDED: ORANGE}
_COLUMNS = (
    QT_TRANSLATE_NOOP("studio", "held-out\npatient"),
    QT_TRANSLATE_NOOP("studio", "Dice\nbefore"),
    QT_TRANSLATE_NOOP("studio", "Dice\nnow"),
    QT_TRANSLATE_NOOP("studio", "lesions\nfound"),
    QT_TRANSLATE_NOOP("studio", "false\nlesions"),
)


class PromotionView(QWidget):
    """Shows a :class:`~metseg.retraining.PromotionCheck`: its result, what can be done now, and what it rests on."""

    def __init__(self, actions: Sequence[QWidget]) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setObjectName("result")
        self.reason = Hint()
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setObjectName("lesions")
        self.table.setHorizontalHeaderLabels([translate("studio", title) for title in _COLUMNS])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._header, self._lines = QHeaderView(Qt.Orientation.Horizontal), QHeaderView(Qt.Orientation.Vertical)
        self.table.setHorizontalHeader(self._header)
        self.table.setVerticalHeader(self._lines)
        self._lines.hide()
        self._lines.setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        self._header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.remarks = Hint()
        column(self, self.title, self.reason, *actions, self.table, self.remarks)
        self._shown: PromotionCheck | None = None
        self.hide()

    def show_check(self, promotion: PromotionCheck | None) -> None:
        """Show another promotion, or nothing."""
        if promotion is self._shown:
            return
        self._shown = promotion
        self.setVisible(promotion is not None)
        if promotion is None:
            return
        self.title.setText(translate("studio", _TITLES.get(promotion.result, str(promotion.result))))
        self.title.setStyleSheet(f"border-left: 4px solid {_COLOURS[promotion.result]}; padding-left: 8px;")
        self.reason.say(f"{promotion.reason[:1].upper()}{promotion.reason[1:]}.")
        self.remarks.say("\n".join(f"{remark[:1].upper()}{remark[1:]}." for remark in promotion.remarks))
        pairs = list(zip(promotion.parent.rows, promotion.child.rows, strict=True))
        self.table.setRowCount(len(pairs) + bool(pairs))
        if pairs:
            self._fill(
                0,
                translate("studio", "all"),
                _cells(promotion.parent, promotion.child, promotion.parent.mean_dice, promotion.child.mean_dice),
                "",
                bold=True,
            )
        for place, (before, now) in enumerate(pairs, start=1):
            self._fill(place, before.name, _cells(before, now, before.dice, now.dice), f"from the {before.source}")
        rows = min(self.table.rowCount(), _MOST_ROWS)
        head = self._header.sizeHint().height()
        self.table.setFixedHeight(head + rows * self._lines.defaultSectionSize() + 2 * self.table.frameWidth())
        self.table.setVisible(bool(pairs))

    def _fill(self, row: int, name: str, cells: list[tuple[str, int]], tip: str, *, bold: bool = False) -> None:
        """One row; a cell's number is whether it is better (1) or worse (-1) than what it is beside."""
        for place, (text, better) in enumerate([(name, 0), *cells]):
            item = QTableWidgetItem(text)
            item.setToolTip(f"{name}, {tip}" if tip else translate("studio", "mean Dice, and sums"))
            if place:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if better:
                item.setForeground(QColor(GREEN if better > 0 else VERMILION))
            if bold:
                font = self.table.font()
                font.setBold(True)
                item.setFont(font)
            self.table.setItem(row, place, item)


def _cells(
    before: ComparedScan | ModelScores, now: ComparedScan | ModelScores, dice_before: float, dice_now: float
) -> list[tuple[str, int]]:
    return [
        (f"{dice_before:.3f}", 0),
        (f"{dice_now:.3f}", _sign(dice_now - dice_before, 5e-4)),
        (f"{_change(before.found, now.found)} of {now.lesions}", _sign(now.found - before.found)),
        (_change(before.false, now.false), _sign(before.false - now.false)),
    ]


def _change(before: int, now: int) -> str:
    return str(now) if before == now else f"{before} → {now}"


def _sign(difference: float, least: float = 0.5) -> int:
    return 0 if abs(difference) < least else 1 if difference > 0 else -1
