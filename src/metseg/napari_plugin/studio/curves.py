"""A small plot that is cheap to draw again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from metseg.napari_plugin.studio.colours import Colours

_HEIGHT = 128
_GAP, _DOT = 5.0, 2.5
_MOST_TICKS = 4
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Curve:
    """Points joined by a line, ``width`` pixels wide; ``colour`` names one of :class:`Colours`, or is ``#rrggbb``."""

    points: Sequence[Point]
    colour: str
    width: float = 1.5
    dots: bool = False


class Plot(QWidget):
    """Curves over epochs, with a title and a few ticks; ``empty`` is shown while there is no point."""

    def __init__(self, title: str, empty: str, colours: Colours) -> None:
        super().__init__()
        self._title, self._empty = title, empty
        self.colours = colours
        self.curves: tuple[Curve, ...] = ()
        self._last = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)

    def show_curves(self, curves: Sequence[Curve], last: float) -> None:
        """Show other curves, from x = 0 to ``last``."""
        self.curves, self._last = tuple(curves), max(last, 1.0)
        self.update()

    def sizeHint(self) -> QSize:
        """Flat and as wide as there is room."""
        return QSize(150, _HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Title, ticks, curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        letters = self.fontMetrics()
        line = letters.height()
        painter.setPen(self.colours.text)
        painter.drawText(QRectF(_GAP, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, self._title)
        values = [y for curve in self.curves for _, y in curve.points]
        low, high, ticks = scale(values)
        names = [f"{tick:g}" for tick in ticks]
        left = max((letters.horizontalAdvance(name) for name in names), default=0) + 2 * _GAP
        area = QRectF(left, line + 2 * _GAP, self.width() - left - _DOT - 1, self.height() - 2 * line - 3 * _GAP)
        if not values:
            painter.setPen(self.colours.quiet)
            box = QRectF(0, line, self.width(), self.height() - line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty)
            return

        def place(x: float, y: float) -> QPointF:
            across = area.left() + area.width() * x / self._last
            return QPointF(across, area.bottom() - area.height() * (y - low) / (high - low))

        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for tick, name in zip(ticks, names, strict=True):
            y = place(0, tick).y()
            painter.setPen(self.colours.line)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(self.colours.quiet)
            painter.drawText(QRectF(0, y - line / 2, left - _GAP, line), right, name)
        below = QRectF(area.left(), self.height() - line, area.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{self._last:g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "epochs")
        for curve in self.curves:
            colour = QColor(getattr(self.colours, curve.colour, curve.colour))
            _draw(painter, [place(x, y) for x, y in thinned(curve.points, int(area.width()))], curve, colour)


def scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Bounds around the values, and a few round numbers between them."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = max((high - low) * 0.05, abs(high) * 0.02, 0.01)
    low, high = max(low - margin, 0.0) if low >= 0 else low - margin, high + margin
    rough = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in _STEPS if step * power >= rough * 0.999)
    first = math.ceil(low / step)
    ticks = [round(number * step, 12) for number in range(first, math.floor(high / step) + 1)]
    return low, high, ticks


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about ``most`` points: means of neighbours where there are more."""
    size = max(math.ceil(len(points) / max(most, 1)), 1)
    if size == 1:
        return list(points)
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _draw(painter: QPainter, places: list[QPointF], curve: Curve, colour: QColor) -> None:
    painter.setPen(QPen(colour, curve.width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF(places))
    if curve.dots or len(places) == 1:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for place in places:
            painter.drawEllipse(place, _DOT, _DOT)
