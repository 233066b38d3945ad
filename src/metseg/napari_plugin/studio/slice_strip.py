"""The slices of a case as a strip: how much there is to gain on each, which were looked at, which one is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from metseg.napari_plugin.studio.colours import GREEN, Colours
from metseg.napari_plugin.translations import translate

_HEIGHT, _BASE, _MARK = 40, 3, 7


@dataclass(frozen=True)
class Strip:
    """What the strip shows.

    Attributes
    ----------
    gains : mapping of int to float
        Expected rise of the case's Dice, by slice.
    first : tuple of int
        Slices that hold most of it.
    shown : int or None
        The slice on the screen.
    numbers : tuple of int
        By which people call the slices; as many as there are.
    """

    count: int = 0
    gains: Mapping[int, float] = field(default_factory=dict)
    first: tuple[int, ...] = ()
    reviewed: frozenset[int] = frozenset()
    shown: int | None = None
    numbers: tuple[int, ...] = ()

    def describe(self, z: int) -> str:
        """One slice in words."""
        if z in self.reviewed:
            told = translate("studio", "slice {number}: looked at, or drawn on")
        elif self.gains.get(z, 0.0) >= 0.0005:
            told = translate("studio", "slice {number}: worth {gain} % of Dice")
        else:
            told = translate("studio", "slice {number}: hardly anything to gain")
        return told.format(number=self.numbers[z], gain=f"{100 * self.gains.get(z, 0.0):.1f}")


class SliceStrip(QWidget):
    """Paints a :class:`Strip`; a click calls ``chosen`` with the slice.

    ``tip`` makes the tip of a slice, of its index and what is known of it.
    """

    def __init__(
        self, chosen: Callable[[int], object], colours: Colours, tip: Callable[[int, str], str] = lambda _, known: known
    ) -> None:
        super().__init__()
        self._chosen = chosen
        self._tip = tip
        self.colours = colours
        self.strip = Strip()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Slices of the case")

    def show_strip(self, strip: Strip) -> None:
        """Show other slices."""
        if strip != self.strip:
            self.strip = strip
            self.update()

    def sizeHint(self) -> QSize:
        """Flat and as wide as there is room."""
        return QSize(200, _HEIGHT)

    def place(self, z: int) -> QRectF:
        """Where slice ``z`` is, in pixels."""
        width = self.width() / max(self.strip.count, 1)
        return QRectF(z * width, 0, width, self.height())

    def slice_at(self, x: float) -> int | None:
        """The slice at ``x`` pixels from the left."""
        z = int(x * self.strip.count / max(self.width(), 1))
        return z if 0 <= z < self.strip.count else None

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Bars from the ground up, a tick's colour below those that were looked at, a mark below the one shown."""
        strip, colours = self.strip, self.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = self.height() - _MARK - _BASE - 2
        most = max(strip.gains.values(), default=0.0)
        for z in range(strip.count):
            column = self.place(z)
            gap = min(1.0, column.width() * 0.15)
            bar = column.adjusted(gap, 0, -gap, 0)
            looked = z in strip.reviewed
            share = math.sqrt(max(strip.gains.get(z, 0.0), 0.0) / most) if most > 0 else 0.0
            colour = QColor(GREEN) if looked else colours.accent if z in strip.first else colours.quiet
            if z == strip.shown:
                painter.fillRect(QRectF(column.left(), 0, column.width(), ground + _BASE + 1), colours.line)
            if share > 0:
                height = max(share * (ground - 1), 2.0)
                painter.setBrush(colour)
                painter.setOpacity(0.45 if looked else 1.0)
                painter.drawRect(QRectF(bar.left(), ground - height, bar.width(), height))
                painter.setOpacity(1.0)
            painter.setBrush(QColor(GREEN) if looked else colours.line)
            painter.drawRect(QRectF(bar.left(), ground + 1, bar.width(), _BASE))
        if strip.shown is not None and strip.shown < strip.count:
            middle, low = self.place(strip.shown).center().x(), float(self.height())
            painter.setBrush(colours.text)
            top = low - _MARK
            painter.drawPolygon(QPolygonF([QPointF(middle, top), QPointF(middle - 4, low), QPointF(middle + 4, low)]))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go to the slice under the mouse."""
        if event is not None and (z := self.slice_at(event.position().x())) is not None:
            self._chosen(z)

    def event(self, event: QEvent | None) -> bool:
        """Say what is known of the slice under the mouse."""
        if isinstance(event, QHelpEvent) and (z := self.slice_at(event.pos().x())) is not None:
            QToolTip.showText(event.globalPos(), self._tip(z, self.strip.describe(z)), self)
            return True
        return bool(super().event(event))
