"""Slices of a case and the viewer's sliders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metseg.napari_plugin.navigation import go_to as show_point
from metseg.napari_plugin.navigation import world_factors

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels


def go_to(viewer: ViewerModel, layer: Labels, z: float, y: float | None = None, x: float | None = None) -> None:
    """Show slice ``z`` of ``layer``, shape (z, y, x), and have (y, x) on the canvas, without a zoom; in voxels."""
    if y is not None and x is not None and viewer.dims.ndisplay == 2:
        show_point(viewer, layer, (z, y, x))
        return
    shape = layer.data.shape
    middle = [(size - 1) / 2 for size in shape[1:]]
    point = (z, middle[0] if y is None else y, middle[1] if x is None else x)
    world = [
        value * factor for value, factor in zip(layer.data_to_world(point), world_factors(viewer, layer), strict=True)
    ]
    first = viewer.dims.ndim - len(world)
    viewer.dims.set_point(range(first, viewer.dims.ndim), world)  # at once: napari slices all layers each time


def shown_slice(viewer: ViewerModel, layer: Labels) -> int | None:
    """Which slice of ``layer``, shape (z, y, x), is on the screen; ``None`` if the view does not show its slices."""
    dims = viewer.dims
    if dims.ndisplay != 2 or tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1) or dims.ndim < 3:
        return None
    world = [value / factor for value, factor in zip(dims.point[-3:], world_factors(viewer, layer), strict=True)]
    z = int(np.round(layer.world_to_data(world)[0]))
    return int(min(max(z, 0), layer.data.shape[0] - 1))
