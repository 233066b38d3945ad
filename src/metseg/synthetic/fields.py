"""Smooth scalar fields: noise on a grid, noise at free points, signed distances to simple solids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float = npt.NDArray[np.float32]
Triple = tuple[float, float, float]


#: Signed distances are not worked out further than this (mm) outside the box around a solid.
MARGIN = 14.0


@dataclass(frozen=True, eq=False)
class Space:
    """Positions in mm: ``x`` towards the image's right, ``a`` anterior, ``z`` towards the vertex.

    Each is float32 of shape (z, y, x).
    """

    x: Float
    a: Float
    z: Float

    @cached_property
    def _extents(self) -> tuple[tuple[Float, Float], ...]:
        """Lowest and highest position per slice, per row and per column."""
        planes = ((self.z, (1, 2)), (self.a, (0, 2)), (self.x, (0, 1)))
        return tuple((field.min(axis=axes), field.max(axis=axes)) for field, axes in planes)

    def box(self, low: Triple, high: Triple) -> tuple[slice, slice, slice]:
        """Index of the smallest block that holds all voxels between two corners, given along (x, a, z)."""
        found = []
        for (least, most), bottom, top in zip(self._extents, reversed(low), reversed(high), strict=True):
            inside = np.flatnonzero((most >= bottom) & (least <= top))
            found.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
        return found[0], found[1], found[2]


def grid_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: tuple[float, float, float], wavelength: float
) -> Float:
    """Smooth Gaussian noise on a grid, standard deviation about 1.

    Parameters
    ----------
    shape, spacing : tuple
        Grid size and voxel size in mm along (z, y, x).
    wavelength : float
        Typical distance between two maxima, in mm.

    Returns
    -------
    ndarray of float32, shape ``shape``
        Gaussian bumps of random height on a lattice, summed separably.
    """
    pitch = wavelength / 3
    weights = []
    for count, step in zip(shape, spacing, strict=True):
        nodes = (np.arange(int(count * step / pitch) + 5) - 2) * pitch
        weights.append(np.exp(-0.5 * ((np.arange(count)[:, None] * step - nodes) / pitch) ** 2).astype(np.float32))
    along_z, along_y, along_x = weights
    bumps = rng.standard_normal([w.shape[1] for w in weights], dtype=np.float32)
    columns = (along_z @ bumps.reshape(len(bumps), -1)).reshape(-1, *bumps.shape[1:])
    field: Float = along_y @ columns @ along_x.T
    field /= np.float32(2.36)
    return field


class PointNoise:
    """Periodic smooth noise that can be evaluated at any points.

    Parameters
    ----------
    wavelength : float
        Typical distance between two maxima, in mm.
    """

    _SAMPLES = 7

    def __init__(self, rng: np.random.Generator, wavelength: float) -> None:
        white = rng.standard_normal((64, 64, 64), dtype=np.float32)
        sigma = self._SAMPLES / 4
        narrow, broad = (ndimage.gaussian_filter(white, width, mode="wrap") for width in (sigma, 1.6 * sigma))
        band = narrow - broad
        self._grid = band / band.std()
        self._scale = self._SAMPLES / wavelength

    def __call__(self, *points: Float) -> Float:
        """Values at coordinates in mm, one array per axis, all of one shape."""
        where = np.stack(points) * np.float32(self._scale)
        values: Float = ndimage.map_coordinates(self._grid, where, order=1, mode="grid-wrap", output=np.float32)
        return values


def ellipsoid(space: Space, centre: Triple, radii: Triple) -> Float:
    """Approximate signed distance (mm, positive inside) to an ellipsoid; ``centre`` and ``radii`` along (x, a, z)."""
    distance = np.full(space.x.shape, -MARGIN, np.float32)
    middle, reach = np.asarray(centre), np.asarray(radii) + MARGIN
    block = space.box(tuple(middle - reach), tuple(middle + reach))
    offsets = [p[block] - np.float32(c) for p, c in zip((space.x, space.a, space.z), centre, strict=True)]
    k0 = np.sqrt(sum((o * np.float32(1 / r)) ** 2 for o, r in zip(offsets, radii, strict=True)))
    k1 = np.sqrt(sum((o * np.float32(1 / (r * r))) ** 2 for o, r in zip(offsets, radii, strict=True)))
    distance[block] = np.maximum(k0 * (1 - k0) / np.maximum(k1, np.float32(1e-4)), -MARGIN)
    return distance


def tube(space: Space, *knots: tuple[float, float, float, float], flatten: float = 1.0) -> Float:
    """Approximate signed distance (mm, positive inside) to a chain of balls.

    Parameters
    ----------
    *knots : tuple
        (x, a, z, radius) of the balls, joined in this order.
    flatten : float
        Divides the extent across ``x``; 2 makes the tube half as wide as it is high.
    """
    distance = np.full(space.x.shape, -MARGIN, np.float32)
    for start, end in zip(knots[:-1], knots[1:], strict=True):
        ends = np.array([start[:3], end[:3]])
        reach = max(start[3], end[3]) + MARGIN
        block = space.box(tuple(ends.min(axis=0) - reach), tuple(ends.max(axis=0) + reach))
        along = (ends[1] - ends[0]).astype(np.float32)
        px, pa, pz = (p[block] - np.float32(c) for p, c in zip((space.x, space.a, space.z), start[:3], strict=True))
        t = np.clip((px * along[0] + pa * along[1] + pz * along[2]) / (along**2).sum(), 0, 1)
        across = ((px - t * along[0]) * flatten) ** 2 + (pa - t * along[1]) ** 2 + (pz - t * along[2]) ** 2
        inside = np.float32(start[3]) + t * np.float32(end[3] - start[3]) - np.sqrt(across)
        distance[block] = np.maximum(distance[block], inside)
    return distance


def soft(distance: npt.NDArray[np.floating], width: float = 0.7) -> Float:
    """Membership in [0, 1] from a signed distance: 0.5 on the surface, a linear ramp of ``2 * width`` mm."""
    membership: Float = np.divide(distance, 2 * width, dtype=np.float32)
    membership += np.float32(0.5)
    np.clip(membership, 0, 1, out=membership)
    return membership
