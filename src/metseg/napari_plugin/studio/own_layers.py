"""The layers that a studio keeps in the viewer while a case is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class OwnLayers:
    """Layers of the open case: the next case fills them anew, for adding one stops napari's window for 0.1 to 0.4 s."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []
        self._hidden: dict[Layer, bool] = {}

    def __contains__(self, layer: object) -> bool:
        """Whether ``layer`` is one of these, and in the viewer."""
        return any(layer is known for known in self._layers) and layer in self._viewer.layers

    def add(self, layer: Layer, place: int | None = None) -> None:
        """Put a layer into the viewer, at ``place`` from the bottom or on top."""
        layers = self._viewer.layers
        self._layers = [known for known in self._layers if known in layers] + [layer]
        layers.insert(len(layers) if place is None else place, layer)

    def hide(self, layer: Layer) -> None:
        """Hide a layer for a while."""
        self._hidden.setdefault(layer, bool(layer.visible))
        layer.visible = False

    def unhide(self, layer: Layer) -> None:
        """Show a layer again, if it was shown before it was hidden."""
        if self._hidden.pop(layer, False) and not layer.visible:
            layer.visible = True

    def remove(self, *layers: Layer) -> None:
        """Take these layers, or else all, out of the viewer at once: napari collects garbage once then."""
        there = [layer for layer in layers or tuple(self._layers) if layer in self._viewer.layers]
        for layer in there:
            self.unhide(layer)
        if there:
            with self._viewer.layers.batched_update():
                for layer in there:
                    self._viewer.layers.remove(layer)
        self._layers = [layer for layer in self._layers if layer in self._viewer.layers]
