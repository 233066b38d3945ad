"""The layers that a studio keeps in the viewer: put there once, hidden and not listed while they are not in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.napari_plugin.studio.layer_rows import LayerRows

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer


class OwnLayers:
    """Layers that are not the user's, until the studio's widget goes.

    Adding a layer stops napari's window for 0.1 to 0.4 s, most of it for new controls, and removing some for 0.8 s,
    most of it for collecting all garbage; to hide one, in the list as well, costs next to nothing.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []
        self._hidden: dict[Layer, bool] = {}
        self._rows = LayerRows()

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

    def put_away(self, layer: Layer) -> None:
        """Hide a layer that is not in use; until :meth:`fetch` it is not listed and not selected, either."""
        self.hide(layer)
        self._viewer.layers.selection.discard(layer)
        self._rows.set_listed(layer, False)

    def fetch(self, layer: Layer) -> None:
        """List a layer that was put away, and show it if it was shown before it was hidden."""
        self._rows.set_listed(layer, True)
        self.unhide(layer)

    def fit(self, labels: Labels) -> None:
        """Have hidden layers cover what ``labels``, shape (z, y, x), cover: napari's sliders go by them as well."""
        for layer in self._layers:
            if layer.visible or layer is labels or layer not in self._viewer.layers:
                continue
            shape = labels.data.shape[-layer.ndim :]
            resized = layer.data.shape != shape
            if resized:
                layer.data = np.zeros(shape, layer.data.dtype)
            place_like(labels, layer, resized=resized)

    def remove(self) -> None:
        """Take all of them out of the viewer at once: napari collects garbage once then."""
        there = [layer for layer in self._layers if layer in self._viewer.layers]
        self._layers.clear()
        self._hidden.clear()
        if there:
            with self._viewer.layers.batched_update():
                for layer in there:
                    self._viewer.layers.remove(layer)


def clear_thumbnail(layer: Layer) -> None:
    """Have the list show nothing of a hidden layer; napari would go on showing what was in it."""
    layer.thumbnail = np.zeros_like(layer.thumbnail)


def place_like(labels: Labels, layer: Layer, *, resized: bool = False) -> None:
    """Put ``layer`` where the last axes of ``labels`` lie.

    A hidden layer that was ``resized`` is scaled in any case: until then napari goes by its old size.
    """
    for name, value in placement_of(labels, layer.ndim).items():
        if tuple(getattr(layer, name)) != value or (resized and name == "scale"):
            setattr(layer, name, value)


def placement_of(labels: Labels, ndim: int = 3) -> dict[str, tuple[Any, ...]]:
    """Where the last ``ndim`` axes of ``labels`` lie, as keywords of a layer."""
    return {name: tuple(getattr(labels, name))[-ndim:] for name in ("scale", "translate", "units", "axis_labels")}
