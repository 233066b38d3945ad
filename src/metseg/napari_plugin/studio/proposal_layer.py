"""The layer that shows what a proposal would change; the case's labels are hidden meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metseg.napari_plugin.studio.colours import GREEN, ORANGE, SKY, VERMILION
from metseg.napari_plugin.studio.predictions import Change, Proposal

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from metseg.napari_plugin.studio.open_case import OpenCase

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
    """At most one preview in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._hidden: Any = None

    def is_it(self, layer: object) -> bool:
        """Whether ``layer`` is the preview."""
        return layer is not None and layer is self._layer

    def show(self, case: OpenCase, proposal: Proposal) -> None:
        """Show a proposal for ``case`` above its labels."""
        if self._layer is not None:
            self._layer.data = proposal.changes
            return
        from napari.layers import Labels

        labels = case.labels
        layer = Labels(
            proposal.changes,
            name=f"proposal · {proposal.answer.model}",
            opacity=_OPACITY,
            colormap=_colormap(),
            scale=labels.scale,
            translate=labels.translate,
            units=labels.units,
            axis_labels=labels.axis_labels,
        )
        layer.editable = False
        self._layer = layer
        self._hidden = labels
        labels.visible = False
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = labels

    def shows(self, y: float, x: float) -> bool:
        """Whether a voxel's column is on the canvas at the present zoom."""
        if self._layer is None:
            return False
        low, high = self._layer.corner_pixels[:, -2:]
        return bool(low[0] <= y <= high[0] and low[1] <= x <= high[1])

    def hide(self) -> None:
        """Take the preview away and show the labels again."""
        layer, labels = self._layer, self._hidden
        self._layer = self._hidden = None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        if labels is not None:
            labels.visible = True
            if labels in self._viewer.layers:
                self._viewer.layers.selection.active = labels


def _colormap() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent", int(Change.LOST): f"{VERMILION}70"}
    colours.update((int(change), code) for change, code in COLOURS.items())
    return DirectLabelColormap(color_dict=colours)
