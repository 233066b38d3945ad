"""The layers that a studio keeps in the viewer: put there once, hidden while they are not in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class OwnLayers:
    """Layers that are not the user's, until the studio's widget goes.

    Adding a layer stops napari's window for a tenth of a second or more, and so does removing one, after which napari
    collects all garbage; to hide one costs next to nothing.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []
        self._hidden: dict[Layer, bool] = {}

    def __contains__(self, layer: object) -> bool:
        """Whether ``layer`` is one of these, and the user has not removed it."""
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

    def forget(self, layer: Layer) -> None:
        """Have nothing more to do with a layer that the user has removed."""
        self._layers = [known for known in self._layers if known is not layer]
        self._hidden.pop(layer, None)

    def remove(self) -> None:
        """Take all of them out of the viewer at once: napari collects garbage once then."""
        there = [layer for layer in self._layers if layer in self._viewer.layers]
        self._layers.clear()
        self._hidden.clear()
        if there:
            with self._viewer.layers.batched_update():
                for layer in there:
                    self._viewer.layers.remove(layer)
