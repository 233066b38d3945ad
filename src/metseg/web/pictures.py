"""Pictures of slices: grey values in a window, outlines or fillings on them, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.web.planes import Plane, Steps

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
    """Lesions to mark: their numbers (z, y, x), a colour, and the number of one that stands out."""

    labels: npt.NDArray[np.int32]
    colour: Colour = FIRST
    chosen: int = 0


def usual_window(values: npt.NDArray[Any]) -> Window:
    """From the 1st to the 99.5th percentile."""
    low, high = np.percentile(values, [1, 99.5])
    return Window(level=float(low + high) / 2, width=max(float(high - low), 1.0))


def draw(
    gray: Gray,
    plane: Plane,
    index: int,
    steps: Steps,
    marked: Sequence[Lesions] = (),
    marking: Marking = Marking(),
    side: int = 720,
) -> Picture:
    """One slice, in the proportions of the head.

    Parameters
    ----------
    gray : ndarray of uint8, shape (y, x)
        The slice as :meth:`Plane.cut` gives it.
    plane, index : Plane, int
        Which slice it is.
    steps : Steps
        Distances of voxels.
    marked : sequence of Lesions
        Drawn in this order.
    marking : Marking
        How.
    side : int
        Longest side of the picture in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red first.
    """
    size = picture_size(gray.shape, plane, steps, side)
    picture: Picture = np.asarray(cv2.cvtColor(_resized(gray, size), cv2.COLOR_GRAY2RGB), np.uint8)
    for lesions in marked:
        flat = plane.cut(lesions.labels, index)
        if flat.any():
            _mark(picture, flat, lesions, marking)
    return picture


def draw_mask(lesions: Lesions, plane: Plane, index: int, steps: Steps, side: int = 720) -> Picture:
    """The mask of one slice, white on black, pixel by pixel."""
    flat = (plane.cut(lesions.labels, index) > 0).astype(np.uint8) * np.uint8(255)
    size = picture_size(flat.shape, plane, steps, side)
    return np.asarray(
        cv2.cvtColor(cv2.resize(flat, size, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2RGB), np.uint8
    )


def draw_cross(picture: Picture, down: float, across: float) -> None:
    """Two thin lines with a gap where they meet; places from 0 to 1."""
    height, width = picture.shape[:2]
    y, x, gap = round(down * height), round(across * width), 14
    for start, end in (((0, y), (x - gap, y)), ((x + gap, y), (width, y))):
        cv2.line(picture, start, end, (76, 155, 232), 1)
    for start, end in (((x, 0), (x, y - gap)), ((x, y + gap), (x, height))):
        cv2.line(picture, start, end, (76, 155, 232), 1)


def picture_size(shape: tuple[int, ...], plane: Plane, steps: Steps, side: int) -> tuple[int, int]:
    """Width and height in pixels of a slice of (rows, columns)."""
    tall, wide = plane.pixel(steps.steps)
    height, width = shape[0] * tall, shape[1] * wide
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def as_png(picture: Picture) -> bytes:
    """The picture as PNG, packed quickly rather than tightly."""
    done, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("OpenCV could not write a PNG")
    return content.tobytes()


def _resized(gray: Gray, size: tuple[int, int]) -> Gray:
    shrinks = size[0] < gray.shape[1] and size[1] < gray.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(gray), size, interpolation=how), np.uint8)


def _mark(picture: Picture, flat: npt.NDArray[np.int32], lesions: Lesions, marking: Marking) -> None:
    """Mark all lesions of a slice, the chosen one last and brighter."""
    rest = flat.astype(bool) & (flat != lesions.chosen)
    _shade(picture, rest, lesions.colour, marking, width=2)
    if lesions.chosen:
        _shade(picture, flat == lesions.chosen, _CHOSEN, marking, width=3)


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
