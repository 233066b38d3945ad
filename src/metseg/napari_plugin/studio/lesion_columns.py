"""The lesion table's columns: the text of each cell, how it sorts, what its header explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QT_TRANSLATE_NOOP, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap

from metseg.curation import LesionRow, Origin
from metseg.napari_plugin.translations import translate

_UNKNOWN = "–"
_CHIP = 10
_EDITORS = {
    Origin.AUTOMATIC: QT_TRANSLATE_NOOP("studio", "auto"),
    Origin.SEMIAUTOMATIC: QT_TRANSLATE_NOOP("studio", "mixed"),
    Origin.MANUAL: QT_TRANSLATE_NOOP("studio", "hand"),
}
# Words that rows bring with them.
_SIDES = (
    QT_TRANSLATE_NOOP("studio", "left"),
    QT_TRANSLATE_NOOP("studio", "right"),
    QT_TRANSLATE_NOOP("studio", "midline"),
)
_UNITS = QT_TRANSLATE_NOOP("studio", "voxels"), QT_TRANSLATE_NOOP("studio", "pixels")


@dataclass(frozen=True)
class LesionColumn:
    """A column: its ``title`` (``{volume}`` and ``{length}`` stand for units), ``tip``, and the ``text`` of its cells.

    Title and tip are English; :meth:`heading` and :attr:`explanation` are in the user's language, as cells are.

    ``key`` is what the column sorts by; ``None``, not known, sorts first. ``textual`` ones are no numbers. Those not
    ``shown`` can be. Those that are ``spare`` are left out while they are known of no lesion; ``wide`` ones, one after
    the other, while there is no room for all, unless they were chosen.
    """

    title: str
    tip: str
    text: Callable[[LesionRow], str]
    key: Callable[[LesionRow], Any]
    textual: bool = False
    shown: bool = True
    spare: bool = False
    wide: bool = False

    def heading(self, measured: LesionRow | None) -> str:
        """The title with the unit that numbers like ``measured`` have."""
        units = ("", "") if measured is None else (measured.volume[1], measured.diameter[1])
        volume, length = (unit and translate("studio", unit) for unit in units)
        return translate("studio", self.title).format(volume=volume, length=length)

    @property
    def explanation(self) -> str:
        """What the column shows."""
        return translate("studio", self.tip)

    @property
    def alignment(self) -> Qt.AlignmentFlag:
        """Numbers stand to the right, texts to the left."""
        side = Qt.AlignmentFlag.AlignLeft if self.textual else Qt.AlignmentFlag.AlignRight
        return side | Qt.AlignmentFlag.AlignVCenter


COLUMNS = (
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "No."),
        QT_TRANSLATE_NOOP("studio", "Number and colour of the lesion."),
        lambda row: str(row.lesion.id),
        lambda row: row.lesion.id,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Slices"),
        QT_TRANSLATE_NOOP("studio", "First and last slice."),
        lambda row: _slices(row),
        lambda row: row.lesion.slices,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Volume\n{volume}"),
        QT_TRANSLATE_NOOP("studio", "Volume in mm³ if the voxel size is known, else voxels."),
        lambda row: f"{row.volume[0]:,.0f}",
        lambda row: row.volume[0],
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Length\n{length}"),
        QT_TRANSLATE_NOOP(
            "studio", "Longest diameter within one slice, in mm if the voxel size is known, else pixels."
        ),
        lambda row: f"{row.diameter[0]:.1f}",
        lambda row: row.diameter[0],
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Across\nmm"),
        QT_TRANSLATE_NOOP("studio", "Longest extent at right angles to the length, in the same slice."),
        lambda row: _number(row.lesion.perpendicular_mm, 1),
        lambda row: row.lesion.perpendicular_mm,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "RANO"),
        QT_TRANSLATE_NOOP(
            "studio",
            "Whether the lesion has the size that RANO-BM calls measurable: 10 mm long, 5 mm across, on two slices.",
        ),
        lambda row: _yes(row.lesion.measurable),
        lambda row: row.lesion.measurable,
        textual=True,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Side"),
        QT_TRANSLATE_NOOP("studio", "Of the patient; midline within 10 mm of the middle of the head."),
        lambda row: _word(row.lesion.side),
        lambda row: row.lesion.side,
        textual=True,
        spare=True,
        shown=False,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Prob."),
        QT_TRANSLATE_NOOP("studio", "Mean probability that the network gives to the lesion's voxels, 0 to 1."),
        lambda row: _number(row.lesion.mean_probability),
        lambda row: row.lesion.mean_probability,
        spare=True,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Unsure\nbits"),
        QT_TRANSLATE_NOOP(
            "studio",
            "How unsure the network is in and around the lesion: mean entropy, 0 if certain, 1 if it tosses a coin.",
        ),
        lambda row: _number(row.uncertainty),
        lambda row: row.uncertainty,
        spare=True,
        wide=True,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Nets\napart"),
        QT_TRANSLATE_NOOP(
            "studio",
            "How far the ensemble's networks are apart in the lesion: mean, 0 if they agree, 1 if one is sure that it "
            "is lesion and another that it is none.",
        ),
        lambda row: _number(row.disagreement),
        lambda row: row.disagreement,
        spare=True,
        wide=True,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "Edge"),
        QT_TRANSLATE_NOOP("studio", "Whether the lesion reaches a face of the volume, so that it may go on beyond it."),
        lambda row: _yes(row.lesion.touches_border),
        lambda row: row.lesion.touches_border,
        textual=True,
        shown=False,
    ),
    LesionColumn(
        QT_TRANSLATE_NOOP("studio", "By"),
        QT_TRANSLATE_NOOP("studio", "Who drew it: auto (the network), mixed (network or tool, and a person), or hand."),
        lambda row: _word(None if row.origin is None else _EDITORS[row.origin]),
        lambda row: list(_EDITORS).index(row.origin) if row.origin is not None else -1,
        textual=True,
    ),
)


def chip(colour: QColor) -> QIcon:
    """A square that keeps its colour when its row is selected."""
    square = QPixmap(_CHIP, _CHIP)
    square.fill(colour)
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(square, mode)
    return icon


def _word(word: str | None) -> str:
    return _UNKNOWN if word is None else translate("studio", word)


def _yes(known: bool | None) -> str:
    return translate("studio", "yes") if known else ""


def _slices(row: LesionRow) -> str:
    first, last = row.slice_numbers or (row.lesion.slices[0] + 1, row.lesion.slices[1] + 1)
    return str(first) if first == last else f"{first}–{last}"


def _number(value: float | None, digits: int = 2) -> str:
    return _UNKNOWN if value is None else f"{value:.{digits}f}"


def tooltip(row: LesionRow) -> str:
    """Everything that is known of a lesion, a line each."""
    known = (column for column in COLUMNS if not column.spare or column.key(row) is not None)
    texts = {" ".join(column.heading(row).split()): column.text(row) for column in known}
    lines = [f"{title}: {text}" for title, text in texts.items() if text]
    voxels = translate("studio", "Voxels: {count}").format(count=f"{row.lesion.n_voxels:,}")
    return "\n".join([*lines, voxels])
