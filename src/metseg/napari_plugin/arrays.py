"""Arrays from layers we did not make: which axis is what, and integers that a study can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError

_CHANNELS = (3, 4)
_TOP = np.iinfo(np.uint16).max


def grid_of(shape: tuple[int, ...], *, rgb: bool) -> tuple[int, ...] | None:
    """Shape of a labels layer that lies on an image array of ``shape``; ``None`` if its axes cannot be told apart.

    Parameters
    ----------
    shape : tuple of int
        (y, x), (z, y, x), (z, y, x, c), (c, z, y, x) or (y, x, c), with c of 3 or 4.
    rgb : bool
        napari shows the last axis as colour.
    """
    if 0 in shape or len(shape) not in (2, 3, 4):
        return None
    if _channels_last(shape, rgb):
        return shape[:-1] if rgb else (*shape[:-1], 1)
    if len(shape) < 4:
        return shape
    return shape[1:] if shape[0] in (1, *_CHANNELS) else None


def volume_of(grid: tuple[int, ...]) -> tuple[int, int, int]:
    """The (z, y, x) that a shape of :func:`grid_of` stands for."""
    plain = grid[:-1] if len(grid) > 2 and grid[-1] == 1 else grid
    z, y, x = (1,) * (3 - len(plain)) + plain
    return z, y, x


def as_channels(data: npt.NDArray[Any], *, rgb: bool) -> npt.NDArray[Any]:
    """Bring an image array that :func:`grid_of` can place to (c, z, y, x)."""
    if _channels_last(data.shape, rgb):
        return np.moveaxis(data if data.ndim == 4 else data[None], -1, 0)
    return data.reshape((1,) * (4 - data.ndim) + data.shape)


def _channels_last(shape: tuple[int, ...], rgb: bool) -> bool:
    return rgb or (len(shape) > 2 and shape[-1] in _CHANNELS)


def as_stored(channels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8 | np.uint16], list[str]]:
    """Bring voxels of any real dtype to uint8 or uint16, and say what was changed.

    Integers that fit are kept as they are; anything else is stretched over the 16-bit range, all channels alike.
    """
    if channels.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(channels, channels.dtype.newbyteorder("=")), []
    if channels.dtype == bool:
        return channels.astype(np.uint8), []
    notices: list[str] = []
    if np.iscomplexobj(channels):
        channels, notices = np.abs(channels), ["complex values are shown by their magnitude"]
    if np.issubdtype(channels.dtype, np.integer) and channels.min() >= 0 and channels.max() <= _TOP:
        return channels.astype(np.uint16), notices
    values = channels.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise DataError("the layer holds no finite value")
    low, high = float(values[finite].min()), float(values[finite].max())
    if not finite.all():
        notices = [*notices, "values that are not finite are taken for the lowest"]
        values = np.where(finite, values, low)
    stretched = np.rint((values - low) * (_TOP / (high - low) if high > low else 0.0))
    notices = [*notices, f"{channels.dtype} values {low:g} to {high:g} are stretched to 16 bit"]
    return stretched.astype(np.uint16), notices
