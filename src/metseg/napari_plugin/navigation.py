"""Which slice of a layer is shown, and how the view gets to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pint

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

Point = tuple[float, float, float]

#: Part of the canvas, on every side, in which a lesion counts as hardly visible.
_EDGE = 0.1


def shown_slice(viewer: ViewerModel, layer: Any, grid: tuple[int, ...] | None) -> int | None:
    """Index of a layer's slice on the screen; ``None`` if the view does not show the layer's own slices.

    ``grid`` is the shape of a labels layer that lies on it, see :func:`metseg.napari_plugin.arrays.grid_of`.
    """
    dims = viewer.dims
    if layer not in viewer.layers or dims.ndisplay != 2:
        return None
    if tuple(dims.displayed) != (dims.ndim - 2, dims.ndim - 1) or grid is None or grid[-1] == 1:
        return None
    if len(grid) == 2:
        return 0
    world = [
        value / factor for value, factor in zip(dims.point[-layer.ndim :], world_factors(viewer, layer), strict=True)
    ]
    z = int(np.round(layer.world_to_data(world)[-3]))
    return min(max(z, 0), grid[0] - 1)


def shows_slices(viewer: ViewerModel, layer: Any) -> bool:
    """Whether a view in two dimensions shows the rows and columns of a layer's slices, not another plane."""
    dims = viewer.dims
    if layer.ndim < 3 or dims.ndisplay != 2:
        return True
    return tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)


def go_to(viewer: ViewerModel, layer: Labels, point: Point) -> None:
    """Show a voxel (z, y, x) of a labels layer, shape (y, x) or (z, y, x), without a change of zoom.

    The camera moves only if the voxel is not well inside the canvas, and never so far that the layer leaves it.
    """
    if viewer.dims.ndisplay != 2 or layer.ndim > len(point):
        return
    world = _set_point(viewer, layer, point)
    first = viewer.dims.ndim - len(world)
    shown = [axis - first for axis in viewer.dims.displayed if axis >= first]
    if len(shown) != 2:
        return
    low, high = _world(viewer, layer, (-0.5,) * 3), _world(viewer, layer, [size - 0.5 for size in layer.data.shape])
    extent = [(min(low[axis], high[axis]), max(low[axis], high[axis])) for axis in shown]
    camera, size = viewer.scene.camera, viewer.canvas.size
    seen = [pixels / camera.zoom for pixels in size]
    centre = moved_centre(tuple(camera.center)[-2:], [world[axis] for axis in shown], seen, extent)
    if centre != tuple(camera.center)[-2:]:
        camera.center = (*tuple(camera.center)[:-2], *centre)


def go_to_slice(viewer: ViewerModel, layer: Labels, z: float) -> None:
    """Show slice ``z`` of a labels layer, shape (z, y, x); the camera stays where it is."""
    _, height, width = layer.data.shape
    _set_point(viewer, layer, (z, (height - 1) / 2, (width - 1) / 2))


def _set_point(viewer: ViewerModel, layer: Labels, point: Point) -> list[float]:
    """Set the viewer's sliders to a point of the layer; returns it in the viewer's units."""
    world = _world(viewer, layer, point)
    first = viewer.dims.ndim - len(world)
    viewer.dims.set_point(range(first, viewer.dims.ndim), world)  # at once: napari slices all layers each time
    return world


def moved_centre(
    centre: tuple[float, ...], target: list[float], seen: list[float], extent: list[tuple[float, float]]
) -> tuple[float, ...]:
    """Centre of the view from which ``target`` is seen, and the image as well as before.

    Parameters
    ----------
    centre, target : (y, x)
        Of the view as it is, and what is to be seen.
    seen : (height, width)
        Of the view, in the same units.
    extent : ((lowest, highest) along y, along x)
        Of the image.
    """
    edges = [
        abs(goal - middle) > (0.5 - _EDGE) * length for middle, goal, length in zip(centre, target, seen, strict=True)
    ]
    if not any(edges):
        return centre
    moved = []
    for goal, length, (low, high) in zip(target, seen, extent, strict=True):
        if length >= high - low:
            moved.append((low + high) / 2)
        else:
            moved.append(min(max(goal, low + length / 2), high - length / 2))
    return tuple(moved)


def _world(viewer: ViewerModel, layer: Labels, point: Any) -> list[float]:
    """A point (z, y, x) of the layer in the viewer's units; (y, x) of a flat layer."""
    inside = tuple(point)[-layer.ndim :]
    return [
        value * factor for value, factor in zip(layer.data_to_world(inside), world_factors(viewer, layer), strict=True)
    ]


def world_factors(viewer: ViewerModel, layer: Any) -> list[float]:
    """World units in one unit of the layer, by axis: other layers may have finer units."""
    if viewer.dims.units is None:
        return [1.0] * layer.ndim
    world = tuple(viewer.dims.units)[-layer.ndim :]
    pairs = zip(layer.units, world, strict=True)
    return [1.0 if unit == into else float(pint.Quantity(1.0, unit).to(into).magnitude) for unit, into in pairs]
