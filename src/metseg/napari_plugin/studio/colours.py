"""Colours of what the studio paints itself: napari's theme, and a few that people with any eyes can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor

from metseg.curation import Status

#: Okabe and Ito 2008, "Color Universal Design", jfly.uni-koeln.de/color: told apart with any kind of colour vision.
GREEN, VERMILION, ORANGE, SKY, PURPLE = "#009e73", "#d55e00", "#e69f00", "#56b4e9", "#cc79a7"

STATUS = {
    Status.TODO: "",
    Status.PREDICTED: SKY,
    Status.CORRECTED: ORANGE,
    Status.APPROVED: GREEN,
    Status.REJECTED: PURPLE,
}


@dataclass(frozen=True)
class Colours:
    """Of a theme: ``text``, ``quiet`` for what matters less, ``line`` for what hardly does, ``field`` behind lists."""

    text: QColor
    quiet: QColor
    line: QColor
    field: QColor
    accent: QColor

    @classmethod
    def of(cls, theme: str) -> Colours:
        """Colours of the napari theme called ``theme``."""
        known = get_theme(theme)
        text = QColor(*known.text.as_rgb_tuple()[:3])
        quiet = QColor(text)
        quiet.setAlphaF(0.62)
        return cls(
            text,
            quiet,
            QColor(known.foreground.as_hex()),
            QColor(known.background.as_hex()),
            QColor(known.current.as_hex()),
        )
