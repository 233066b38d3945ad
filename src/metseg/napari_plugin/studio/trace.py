"""Shows at once where the mouse went, in a layer of its own: the case's labels are not touched before the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.napari_plugin.layers import KEY
from metseg.napari_plugin.state import Follower
from metseg.napari_plugin.studio.own_layers import place_like

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from metseg.napari_plugin.studio.own_layers import OwnLayers

NAME = "stroke (guided)"
_MARK = "stroke"
_OPACITY = 0.5
_ADDING, _REMOVING = 1, 2
_COLOURS = {None: "transparent", 0: "transparent", _ADDING: "#00e5ff", _REMOVING: "#ff4040"}


class Trace(Follower):
    """A 2-D labels layer on top of all others; made when it is used first, hidden while it is not used.

    Parameters
    ----------
    viewer : ViewerModel
    own : OwnLayers
        Keeps the layer.
    """

    def __init__(self, viewer: ViewerModel, own: OwnLayers) -> None:
        super().__init__()
        self._viewer = viewer
        self._own = own
        self._labels: Labels | None = None
        self._made: Labels | None = None
        self.follow(viewer.layers.selection.events, ("active",), self._on_active)

    def show(self, labels: Labels) -> None:
        """Have the layer on top of all that there is, of the size of a slice of ``labels``, shape (z, y, x).

        ``labels`` are selected; the layer is never selected in their stead.
        """
        self._labels = labels
        layer, shape = self._layer, labels.data.shape[1:]
        if layer.data.shape != shape:
            layer.data = np.zeros(shape, np.uint8)
        place_like(labels, layer)
        if layer not in self._viewer.layers:  # placed before: napari warns of layers in other units
            self._own.add(layer)
        layer.visible = True
        self._viewer.layers.selection.active = labels

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

    @property
    def _layer(self) -> Labels:
        if self._made is None:
            self._made = _made()
        return self._made

    def _on_active(self, event: Any) -> None:
        shown = self._labels is not None and self._labels in self._viewer.layers
        if event.value is not None and event.value is self._made and shown:
            self._viewer.layers.selection.active = self._labels


def _made() -> Labels:
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    colours = DirectLabelColormap(color_dict=_COLOURS)
    nothing = np.zeros((1, 1), np.uint8)
    return Labels(nothing, name=NAME, opacity=_OPACITY, colormap=colours, metadata={KEY: _MARK})
