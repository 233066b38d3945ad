"""Pictures of slices: grey values in a window, outlines or fillings on them, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.preprocessing import display_window
from metseg.study.geometry import Spacing
from metseg.web.planes import Plane, Region

#: Red, green, blue of the first network's lesions and of the second's, as on all pictures of this package.
FIRST, SECOND = (255, 176, 0), (53, 208, 255)
_CHOSEN = (255, 255, 255)
_FILL = 0.55

Gray = npt.NDArray[np.uint8]
Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Grey values from black to white: ``width`` of them around ``level``."""

    level: float
    width: float

    def apply(self, values: npt.NDArray[Any]) -> Gray:
        """Values as grey, 0 to 255."""
        scaled = (values.astype(np.float32) - (self.level - self.width / 2)) * (255 / max(self.width, 1e-6))
        return np.asarray(np.rint(scaled.clip(0, 255)), np.uint8)


@dataclass(frozen=True, slots=True)
class Marking:
    """How lesions are marked: ``opacity`` from 0 to 1, filled or only outlined."""

    opacity: float = 0.9
    filled: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Lesions:
    """Lesions to mark: their numbers (z, y, x), a colour, the number of one that stands out, and the line's width."""

    labels: npt.NDArray[np.int32]
    colour: Colour = FIRST
    chosen: int = 0
    width: int = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture to be filled: ``side`` pixels long on its longer side."""

    plane: Plane
    region: Region
    steps: Spacing
    side: int = 720

    def resized(self, flat: Gray, how: int = cv2.INTER_CUBIC) -> Gray:
        """The part of a slice that is shown, in the picture's size."""
        part = self.region.crop(self.plane, flat)
        tall, wide = self.plane.pixel(self.steps)
        height, width = part.shape[0] * tall, part.shape[1] * wide
        scale = self.side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return np.asarray(cv2.resize(np.ascontiguousarray(part), size, interpolation=how), np.uint8)


def usual_window(values: npt.NDArray[Any]) -> Window:
    """The window that shows the brain, see :func:`metseg.preprocessing.display_window`."""
    low, high = display_window(values)
    return Window(level=(low + high) / 2, width=max(high - low, 1.0))


def draw(
    frame: Frame,
    gray: Gray,
    index: int,
    marked: Sequence[Lesions] = (),
    marking: Marking = Marking(),
) -> Picture:
    """One slice, in the proportions of the head.

    Parameters
    ----------
    frame : Frame
        Plane, region and size of the picture.
    gray : ndarray of uint8, shape (rows, columns)
        The slice as :meth:`Plane.cut` gives it.
    index : int
        Which slice of the plane it is.
    marked : sequence of Lesions
        Drawn in this order.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red first.
    """
    picture: Picture = np.asarray(cv2.cvtColor(frame.resized(gray), cv2.COLOR_GRAY2RGB), np.uint8)
    for lesions in marked:
        flat = frame.region.crop(frame.plane, frame.plane.cut(lesions.labels, index))
        if flat.any():
            _mark(picture, flat, lesions, marking)
    return picture


def draw_mask(frame: Frame, lesions: Lesions, index: int) -> Picture:
    """The mask of one slice, white on black, pixel by pixel."""
    flat = (frame.plane.cut(lesions.labels, index) > 0).astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.cvtColor(frame.resized(flat, cv2.INTER_NEAREST), cv2.COLOR_GRAY2RGB), np.uint8)


def draw_cross(picture: Picture, down: float, across: float) -> None:
    """Two thin lines with a gap where they meet; places from 0 to 1."""
    height, width = picture.shape[:2]
    y, x, gap = round(down * height), round(across * width), 14
    for start, end in (((0, y), (x - gap, y)), ((x + gap, y), (width, y))):
        cv2.line(picture, start, end, (76, 155, 232), 1)
    for start, end in (((x, 0), (x, y - gap)), ((x, y + gap), (x, height))):
        cv2.line(picture, start, end, (76, 155, 232), 1)


def as_png(picture: Picture) -> bytes:
    """The picture as PNG, packed quickly rather than tightly."""
    done, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("OpenCV could not write a PNG")
    return content.tobytes()


def _mark(picture: Picture, flat: npt.NDArray[np.int32], lesions: Lesions, marking: Marking) -> None:
    """Mark all lesions of a slice, the chosen one last and brighter."""
    rest = flat.astype(bool) & (flat != lesions.chosen)
    _shade(picture, rest, lesions.colour, marking, lesions.width)
    if lesions.chosen:
        _shade(picture, flat == lesions.chosen, _CHOSEN, marking, lesions.width + 1)


def _shade(picture: Picture, inside: npt.NDArray[np.bool_], colour: Colour, marking: Marking, width: int) -> None:
    if not inside.any():
        return
    height, length = picture.shape[:2]
    smooth = cv2.resize(inside.astype(np.float32), (length, height), interpolation=cv2.INTER_LINEAR)
    sharp = (smooth >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(sharp, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = picture.copy()
    if marking.filled:
        drawn[sharp > 0] = colour
        cv2.addWeighted(drawn, marking.opacity * _FILL, picture, 1 - marking.opacity * _FILL, 0, dst=picture)
        drawn = picture.copy()
        width = 1
    cv2.drawContours(drawn, contours, -1, colour, width, cv2.LINE_AA)
    cv2.addWeighted(drawn, marking.opacity, picture, 1 - marking.opacity, 0, dst=picture)
