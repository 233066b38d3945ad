"""How much is done, as a line."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from metseg.napari_plugin.studio.colours import Colours

_HEIGHT = 4


class ThinBar(QWidget):
    """A line that fills from the left."""

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._share = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_share(self, share: float) -> None:
        """Show another share, 0 to 1."""
        self._share = share
        self.update()

    def recolour(self, colours: Colours) -> None:
        """Paint in other colours."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:
        """Flat and as wide as there is room."""
        return QSize(100, _HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The line, and over it what is done."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for share, colour in ((1.0, self._colours.line), (self._share, self._colours.accent)):
            painter.setBrush(colour)
            painter.drawRoundedRect(QRectF(0, 0, self.width() * share, self.height()), 2, 2)
