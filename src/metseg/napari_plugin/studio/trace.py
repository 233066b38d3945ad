"""Shows at once where the mouse went, in a layer of its own: the case's labels are not touched before the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.napari_plugin.layers import KEY
from metseg.napari_plugin.state import Follower

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

NAME = "stroke (guided)"
_MARK = "stroke"
_OPACITY = 0.5
_ADDING, _REMOVING = 1, 2
_COLOURS = {None: "transparent", 0: "transparent", _ADDING: "#00e5ff", _REMOVING: "#ff4040"}


class Trace(Follower):
    """A 2-D labels layer on top of all others, of the size of one slice of ``labels``; hidden while it is not used.

    Parameters
    ----------
    viewer : ViewerModel
    labels : Labels
        Layer (z, y, x) that the mouse is used on; this one is never selected in its stead.

    Notes
    -----
    The layer stays until the case is closed: napari collects all garbage when it removes one, which takes long.
    """

    def __init__(self, viewer: ViewerModel, labels: Labels) -> None:
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        super().__init__()
        self._viewer = viewer
        self._labels = labels
        self._layer = Labels(
            np.zeros(labels.data.shape[1:], np.uint8),
            name=NAME,
            opacity=_OPACITY,
            colormap=DirectLabelColormap(color_dict=_COLOURS),
            scale=tuple(labels.scale)[-2:],
            translate=tuple(labels.translate)[-2:],
            units=tuple(labels.units)[-2:],
            axis_labels=tuple(labels.axis_labels)[-2:],
            metadata={KEY: _MARK},
        )
        self.follow(viewer.layers.selection.events, ("active",), self._on_active)

    def show(self) -> None:
        """Have the layer on top, and the case's labels selected."""
        if self._layer not in self._viewer.layers:
            self._viewer.layers.append(self._layer)
        self._layer.visible = True
        self._viewer.layers.selection.active = self._labels

    def hide(self) -> None:
        """Show nothing, and mark the layer as not in use."""
        self.clear()
        self._layer.visible = False

    def draw(self, points: npt.ArrayLike, diameter: float, *, adding: bool) -> None:
        """Show a path of (y, x) in pixels, and nothing else, as wide as a brush of ``diameter`` pixels."""
        path = np.rint(np.asarray(points, np.float64)).astype(np.int32)[:, ::-1]
        canvas = np.zeros_like(self._layer.data)
        colour, width = _ADDING if adding else _REMOVING, max(round(diameter), 1)
        cv2.polylines(canvas, [path], isClosed=False, color=colour, thickness=width)
        for end in (path[0], path[-1]):
            cv2.circle(canvas, end.tolist(), width // 2, colour, cv2.FILLED)
        self._layer.data[:] = canvas
        self._layer.refresh(extent=False, thumbnail=False)

    def clear(self) -> None:
        """Show nothing."""
        self._layer.data[:] = 0
        self._layer.refresh(extent=False, thumbnail=False)

    def close(self) -> None:
        """Remove the layer."""
        self.unfollow()
        if self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)

    def _on_active(self, event: Any) -> None:
        if event.value is self._layer and self._labels in self._viewer.layers:
            self._viewer.layers.selection.active = self._labels
