"""Colours of what the studio paints itself: napari's theme, and a few that people with any eyes can tell apart."""

from __future__ import annotations

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


class Colours:
    """Of napari's theme: ``text``, ``quiet`` for what matters less, ``line`` for what hardly does, and ``accent``."""

    def __init__(self, theme: str) -> None:
        self.set_theme(theme)

    def set_theme(self, theme: str) -> None:
        """Take the colours of another theme; what is painted in them is to be painted again."""
        known = get_theme(theme)
        self.text = QColor(*known.text.as_rgb_tuple()[:3])
        self.quiet = QColor(self.text)
        self.quiet.setAlphaF(0.62)
        self.line = QColor(known.foreground.as_hex())
        self.accent = QColor(known.current.as_hex())
