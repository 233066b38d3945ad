"""Arrays from layers we did not make: which axis is what, and numbers that a study can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.study.stored_values import fill_non_finite

_CHANNELS = (3, 4)


def grid_of(shape: tuple[int, ...], *, rgb: bool) -> tuple[int, ...] | None:
    """Shape of a labels layer that lies on an image array of ``shape``; ``None`` if its axes cannot be told apart.

    Parameters
    ----------
    shape : tuple of int
        (y, x), (z, y, x), (z, y, x, c), (c, z, y, x), (z, c, y, x) or (y, x, c), with c of 3 or 4; axes of one voxel
        may be in front.
    rgb : bool
        napari shows the last axis as colour.
    """
    if 0 in shape:
        return None
    while len(shape) > 4 - rgb + (shape[-1] in _CHANNELS) and shape[0] == 1:
        shape = shape[1:]
    axis = _channel_axis(shape, rgb)
    if axis is None:
        return shape if len(shape) in (2, 3) else None
    if axis == len(shape) - 1:
        return shape[:-1] if rgb else (*shape[:-1], 1)
    return shape[1:] if axis == 0 else (shape[0], 1, *shape[2:])


def volume_of(grid: tuple[int, ...]) -> tuple[int, int, int]:
    """The (z, y, x) that a shape of :func:`grid_of` stands for."""
    plain = grid[:-1] if len(grid) > 2 and grid[-1] == 1 else grid
    if len(plain) == 4:
        plain = (plain[0], *plain[2:])
    z, y, x = (1,) * (3 - len(plain)) + plain
    return z, y, x


def as_channels(data: npt.NDArray[Any], *, rgb: bool) -> npt.NDArray[Any]:
    """Bring an image array that :func:`grid_of` can place to (c, z, y, x)."""
    while data.ndim > 4 - rgb + (data.shape[-1] in _CHANNELS) and data.shape[0] == 1:
        data = data[0]
    axis = _channel_axis(data.shape, rgb)
    if axis is None:
        return data.reshape((1,) * (4 - data.ndim) + data.shape)
    channels = np.moveaxis(data, axis, 0)
    return channels if channels.ndim == 4 else channels[:, None]


def _channel_axis(shape: tuple[int, ...], rgb: bool) -> int | None:
    """Which axis the channels are along; ``None`` if there is none."""
    if rgb or (len(shape) in (3, 4) and shape[-1] in _CHANNELS):
        return len(shape) - 1
    if len(shape) != 4:
        return None
    return next((axis for axis in (0, 1) if shape[axis] in (1, *_CHANNELS)), None)


def as_stored(channels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], list[str]]:
    """Bring voxels to a type that a study can hold, and say what was changed: any real one, all values finite."""
    if channels.dtype == bool:
        return channels.astype(np.uint8), []
    notices: list[str] = []
    if np.iscomplexobj(channels):
        channels, notices = np.abs(channels), ["complex values are shown by their magnitude"]
    stored = np.array(channels, channels.dtype.newbyteorder("="))
    lost = fill_non_finite(stored)
    if lost is None:
        raise DataError("the layer holds no finite value")
    return stored, [*notices, "values that are not finite are taken for the lowest"] if lost else notices
