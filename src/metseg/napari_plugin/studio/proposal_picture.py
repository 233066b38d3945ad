"""The layer that shows what a proposal would change; the case's labels are hidden meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.napari_plugin.studio.colours import GREEN, ORANGE, SKY, VERMILION
from metseg.napari_plugin.studio.own_layers import clear_thumbnail, place_like, placement_of
from metseg.napari_plugin.studio.predictions import Change, Proposal

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.own_layers import OwnLayers

_NAME = "proposal"
_UNCHANGED = "#a0a4ab"
_OPACITY = 0.75

#: Colour of each kind of change; what an altered lesion loses is shown like a removed one, but fainter.
COLOURS = {
    Change.ADDED: GREEN,
    Change.REMOVED: VERMILION,
    Change.ALTERED: ORANGE,
    Change.KEPT: SKY,
    Change.UNCHANGED: _UNCHANGED,
}


class ProposalLayer:
    """At most one preview in the viewer; its layer stays, empty and put away, while nothing is proposed.

    Parameters
    ----------
    viewer : ViewerModel
    own : OwnLayers
        Keeps the layer.
    """

    def __init__(self, viewer: ViewerModel, own: OwnLayers) -> None:
        self._viewer = viewer
        self._own = own
        self._layer: Labels | None = None
        self._labels: Any = None

    def is_it(self, layer: object) -> bool:
        """Whether ``layer`` is the preview."""
        return layer is not None and layer is self._layer

    def prepare(self, case: OpenCase) -> None:
        """Put the layer into the viewer, put away, if it is not there."""
        if self._layer is None or self._layer not in self._own:
            selection = self._viewer.layers.selection
            active = selection.active
            self._layer = _made(np.zeros(case.shape, np.uint8), **placement_of(case.labels))
            self._own.add(self._layer)
            self._own.put_away(self._layer)
            selection.active = active

    def show(self, case: OpenCase, proposal: Proposal) -> None:
        """Show a proposal for ``case`` above its labels, which are hidden meanwhile."""
        self.prepare(case)
        layer, labels = self._layer, case.labels
        if layer is None:
            return
        self._own.hide(labels)
        self._labels = labels
        if layer.data.shape == proposal.changes.shape:
            layer.data[:] = proposal.changes
        else:
            layer.data = proposal.changes.copy()
        layer.editable = False
        place_like(labels, layer)
        layer.name = f"{_NAME} ({proposal.answer.target}) · {proposal.answer.model}"
        self._own.fetch(layer)
        layer.visible = True
        layer.refresh(extent=False)

    def shows(self, y: float, x: float) -> bool:
        """Whether a voxel's column is on the canvas at the present zoom."""
        if self._layer is None:
            return False
        low, high = self._layer.corner_pixels[:, -2:]
        return bool(low[0] <= y <= high[0] and low[1] <= x <= high[1])

    def hide(self) -> None:
        """Hide the preview and show the labels again."""
        labels, self._labels = self._labels, None
        layer = self._layer
        if layer is not None and layer in self._own and layer.visible:
            layer.visible = False
            layer.data[:] = 0
            clear_thumbnail(layer)
            layer.name = _NAME
            self._own.put_away(layer)
        if labels is not None:
            self._own.unhide(labels)
            if labels in self._viewer.layers:
                self._viewer.layers.selection.active = labels


def _made(changes: npt.NDArray[np.uint8], **place: Any) -> Labels:
    from napari.layers import Labels

    layer = Labels(changes, name=_NAME, visible=False, opacity=_OPACITY, colormap=_colormap(), **place)
    layer.editable = False
    return layer


def _colormap() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent", int(Change.LOST): f"{VERMILION}70"}
    colours.update((int(change), code) for change, code in COLOURS.items())
    return DirectLabelColormap(color_dict=colours)
