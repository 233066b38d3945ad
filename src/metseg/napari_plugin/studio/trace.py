"""Shows at once where the mouse went, over the canvas: the case's labels are not touched before the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from metseg.napari_plugin.studio.canvas_picture import CanvasPicture, colour_table

if TYPE_CHECKING:
    from napari.layers import Labels

_ADDING, _REMOVING = 1, 2
_COLOURS = colour_table({_ADDING: "#00e5ff80", _REMOVING: "#ff404080"})


class Trace:
    """The path of a tool, in the shown slice."""

    def __init__(self, picture: CanvasPicture) -> None:
        self.picture = picture

    def draw(self, labels: Labels, points: npt.ArrayLike, diameter: float, *, adding: bool) -> None:
        """Show a path of (y, x) in pixels of ``labels``, and nothing else, as wide as a brush is, in pixels."""
        path = np.rint(np.asarray(points, np.float64)).astype(np.int32)[:, ::-1]
        canvas = np.zeros(labels.data.shape[1:], np.uint8)
        colour, width = _ADDING if adding else _REMOVING, max(round(diameter), 1)
        cv2.polylines(canvas, [path], isClosed=False, color=colour, thickness=width)
        for end in (path[0], path[-1]):
            cv2.circle(canvas, end.tolist(), width // 2, colour, cv2.FILLED)
        self.picture.show(labels, canvas, _COLOURS)

    def clear(self) -> None:
        """Show nothing."""
        self.picture.hide()
