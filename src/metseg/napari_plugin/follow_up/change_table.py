"""The table of changes: a line a lesion, by number, change, volume and diameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from metseg.follow_up import FollowUpChange, signed_percent
from metseg.napari_plugin.studio.lesion_columns import chip

if TYPE_CHECKING:
    from metseg.follow_up import FollowedLesion
    from metseg.napari_plugin.follow_up.work import ComparedExaminations

_HEADINGS = ("No.", "Change", "Volume (mm³)", "", "Diameter (mm)")
_TIPS = (
    "The same number in both views, and in no more than one line.",
    "What became of it: grown and shrunk from a fifth of the volume on.",
    "Volume, earlier and later.",
    "Change of the volume.",
    "Longest diameter, earlier and later; of several parts the sum.",
)
_CHANGE = 1
_COLOURS = {
    FollowUpChange.NEW: "#e5484d",
    FollowUpChange.GROWN: "#f07f3c",
    FollowUpChange.UNCHANGED: "#9aa0a6",
    FollowUpChange.SHRUNK: "#4fb3a5",
    FollowUpChange.GONE: "#3f8fd8",
    FollowUpChange.NOT_COVERED: "#5c6066",
}
_CHIP, _FEWEST, _MOST = 10, 3, 14
_ARROW = " → "
_STYLE = "QTreeWidget::item { padding: 3px 2px; }"


class ChangeTable(QTreeWidget):
    """Shows what became of each lesion.

    Parameters
    ----------
    chosen : callable
        Called with the number of the lesion that the user chose, also if it is the same again.
    """

    def __init__(self, chosen: Callable[[int], object]) -> None:
        super().__init__()
        self._chosen = chosen
        self.setHeaderLabels(_HEADINGS)
        head = self.headerItem()
        for column, tip in enumerate(_TIPS):
            if head is not None:
                head.setToolTip(column, tip)
                head.setTextAlignment(column, _side(column))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setIconSize(QSize(_CHIP, _CHIP))
        self.setStyleSheet(_STYLE)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        header = self.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSortIndicatorShown(False)  # it would lie on the title
            for column in range(len(_HEADINGS)):
                stretched = QHeaderView.ResizeMode.Stretch if column == _CHANGE else None
                header.setSectionResizeMode(column, stretched or QHeaderView.ResizeMode.ResizeToContents)
        self.currentItemChanged.connect(self._on_item)
        self.itemClicked.connect(self._on_item)

    def show_comparison(self, comparison: ComparedExaminations | None) -> None:
        """List the lesions of a comparison."""
        with QSignalBlocker(self):
            self.clear()
            for lesion in () if comparison is None else comparison.result.lesions:
                self.addTopLevelItem(_Line(lesion, comparison))
            self.setCurrentItem(None)
        self._fit()

    def show_chosen(self, number: int) -> None:
        """Mark the line of a lesion; none if there is none of this number."""
        lines = (self.topLevelItem(place) for place in range(self.topLevelItemCount()))
        found = next((line for line in lines if isinstance(line, _Line) and line.number == number), None)
        if found is not self.currentItem():
            with QSignalBlocker(self):
                self.setCurrentItem(found)

    def _on_item(self, line: QTreeWidgetItem | None) -> None:
        if isinstance(line, _Line):
            self._chosen(line.number)

    def _fit(self) -> None:
        """Be as high as the lines, up to a few; the others are scrolled to."""
        header, count = self.header(), self.topLevelItemCount()
        line = self.sizeHintForRow(0) if count else self.fontMetrics().height() + 6
        top = 0 if header is None else header.sizeHint().height()
        self.setFixedHeight(line * min(max(count, _FEWEST), _MOST) + top + 2 * self.frameWidth() + 2)


class _Line(QTreeWidgetItem):
    """A lesion; sorts by numbers, not by how they are written."""

    def __init__(self, lesion: FollowedLesion, comparison: ComparedExaminations | None) -> None:
        outlined = comparison is None or comparison.outlined
        super().__init__(_cells(lesion, outlined=outlined))
        self.number = lesion.number
        share = lesion.volume_change
        self._keys: tuple[Any, ...] = (
            lesion.number,
            list(FollowUpChange).index(lesion.change),
            max(lesion.volumes),
            float("inf") if share is None else share,
            max(lesion.diameters),
        )
        if outlined:
            self.setIcon(_CHANGE, chip(QColor(_COLOURS[lesion.change])))
        known = (lesion.after or lesion.before)[0]
        target = comparison is not None and lesion.number in comparison.result.judgement.targets
        said = [f"Lesion {lesion.number}", *([str(known.side)] if known.side else []), *["RANO-BM target"] * target]
        for column in range(len(_HEADINGS)):
            self.setTextAlignment(column, _side(column))
            self.setToolTip(column, ", ".join(said))

    def __lt__(self, other: QTreeWidgetItem) -> bool:
        tree = self.treeWidget()
        column = 0 if tree is None else tree.sortColumn()
        return bool(self._keys[column] < other._keys[column]) if isinstance(other, _Line) else False


def _cells(lesion: FollowedLesion, *, outlined: bool) -> list[str]:
    """Texts of a line; of a later examination without outlines nothing is said."""
    volumes, diameters, share = lesion.volumes, lesion.diameters, lesion.volume_change
    if not outlined:
        return [str(lesion.number), "", f"{volumes[0]:,.0f}", "", f"{diameters[0]:.1f}"]
    both = bool(lesion.before and lesion.after)
    return [
        str(lesion.number),
        f"{lesion.change}, {lesion.event}" if lesion.event else str(lesion.change),
        _pair(f"{volumes[0]:,.0f}", f"{volumes[1]:,.0f}", lesion),
        signed_percent(share) if both and share is not None else "",
        _pair(f"{diameters[0]:.1f}", f"{diameters[1]:.1f}", lesion),
    ]


def _pair(before: str, after: str, lesion: FollowedLesion) -> str:
    return _ARROW.join((before if lesion.before else "–", after if lesion.after else "–"))


def _side(column: int) -> Qt.AlignmentFlag:
    """Numbers stand to the right, words to the left."""
    side = Qt.AlignmentFlag.AlignLeft if column == _CHANGE else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
