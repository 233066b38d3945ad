"""Voxels on another grid of the patient, by where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.study.geometry import Geometry, Shape


def resample(volume: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape) -> npt.NDArray[Any]:
    """Interpolate a volume linearly on another grid; outside of it is its lowest value.

    Parameters
    ----------
    volume : ndarray of any real type, shape (z, y, x)
        On the grid of ``here``.
    here, there : Geometry
        Where its voxels are, and where those of the result are; both must be placed.
    shape : (z, y, x)
        Size of the result.

    Returns
    -------
    ndarray, shape ``shape``, of the type of ``volume``
    """
    import SimpleITK

    image = image_of(np.asarray(volume, np.float32), here)
    grid = SimpleITK.Image(shape[2], shape[1], shape[0], SimpleITK.sitkUInt8)
    _place(grid, there)
    lowest = float(volume.min())
    moved = SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkLinear, lowest, SimpleITK.sitkFloat32)
    values = SimpleITK.GetArrayFromImage(moved)
    return values.astype(volume.dtype) if volume.dtype.kind == "f" else np.rint(values).astype(volume.dtype)


def on_voxels_of(channels: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape) -> npt.NDArray[Any]:
    """Bring channels to another grid by their place; as they are if they lie on it, or it is not known of both.

    Parameters
    ----------
    channels : ndarray of any real type, shape (c, z, y, x)
        On the grid of ``here``.
    here, there : Geometry
        Where their voxels are, and where those of the result are.
    shape : (z, y, x)
        Size of the result.
    """
    own = channels.shape[1:]
    if not (here.is_placed and there.is_placed) or (own == shape and here.is_same(there, shape)):
        return channels
    return np.stack([resample(channel, here, there, shape) for channel in channels])


def image_of(volume: npt.NDArray[Any], geometry: Geometry) -> Any:
    """A volume (z, y, x) as a SimpleITK image at its place."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(volume)
    _place(image, geometry)
    return image


def _place(image: Any, geometry: Geometry) -> None:
    origin, spacing, direction = geometry.itk
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
