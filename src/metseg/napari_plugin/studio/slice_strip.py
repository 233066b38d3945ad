"""The slices of a case as a strip: what is to gain on each, which were looked at, which is shown; one as a picture."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from metseg.napari_plugin.studio.colours import GREEN, Colours
from metseg.napari_plugin.translations import translate
from metseg.preprocessing import display_window

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.open_case import OpenCase

_HEIGHT, _BASE, _MARK = 40, 3, 7
_PICTURE = 160


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
        """What is known of a slice, as a text."""
        if z in self.reviewed:
            text = translate("studio", "slice {number}: looked at, or drawn on")
        elif self.gains.get(z, 0.0) >= 0.0005:
            text = translate("studio", "slice {number}: worth {gain} % of Dice")
        else:
            text = translate("studio", "slice {number}: hardly anything to gain")
        return text.format(number=self.numbers[z], gain=f"{100 * self.gains.get(z, 0.0):.1f}")


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
        """Show what is known of the slice under the mouse."""
        if isinstance(event, QHelpEvent) and (z := self.slice_at(event.pos().x())) is not None:
            QToolTip.showText(event.globalPos(), self._tip(z, self.strip.describe(z)), self)
            return True
        return bool(super().event(event))


def thumbnail(case: OpenCase, z: int) -> npt.NDArray[np.uint8]:
    """Draws slice ``z``, counted from 0, with its lesions.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green and blue; the longer side has 160 pixels.
    """
    low, high = display_window(case.guide)
    plane = (case.guide[z].astype(np.float32) - low) / max(high - low, 1e-6)
    grey = (np.clip(plane, 0, 1) * 255).astype(np.uint8)
    spacing = case.study.geometry.spacing or (1.0, 1.0, 1.0)
    height, width = grey.shape[0] * spacing[1], grey.shape[1] * spacing[2]
    scale = _PICTURE / max(height, width)
    shape = max(round(width * scale), 1), max(round(height * scale), 1)
    picture = np.repeat(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA)[..., None], 3, axis=2)
    labels = cv2.resize(case.labels.data[z].astype(np.float32), shape, interpolation=cv2.INTER_NEAREST)
    for lesion in np.unique(labels[labels > 0]):
        edges, _ = cv2.findContours((labels == lesion).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        colour = [int(255 * part) for part in case.labels.colormap.map(int(lesion))[:3]]
        cv2.drawContours(picture, edges, -1, colour, 1)
    return np.asarray(picture, np.uint8)


def as_html(picture: npt.NDArray[np.uint8], caption: str) -> str:
    """A picture and a line of text for a tooltip."""
    done, stored = cv2.imencode(".png", picture[..., ::-1])
    data = base64.b64encode(stored.tobytes()).decode() if done else ""
    return f'<img src="data:image/png;base64,{data}"><br>{caption}'
