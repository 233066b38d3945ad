"""Smooth scalar fields: noise on a grid, noise at free points, signed distances to simple solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Space:
    """Positions in mm: ``x`` towards the image's right, ``a`` anterior, ``z`` towards the vertex.

    Each is float32 and broadcasts to the grid's shape (z, y, x).
    """

    x: Float
    a: Float
    z: Float


def grid_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: tuple[float, float, float], wavelength: float
) -> Float:
    """Smooth Gaussian noise on a grid, standard deviation about 1.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
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
    field = rng.standard_normal([w.shape[1] for w in weights], dtype=np.float32)
    for axis, weight in enumerate(weights):
        field = np.moveaxis(np.tensordot(weight, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field / 2.36)


class PointNoise:
    """Periodic smooth noise that can be evaluated at any points.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    wavelength : float
        Typical distance between two maxima, in mm.
    """

    _SAMPLES = 7

    def __init__(self, rng: np.random.Generator, wavelength: float, size: int = 64) -> None:
        white = rng.standard_normal((size, size, size), dtype=np.float32)
        sigma = self._SAMPLES / 4
        band = ndimage.gaussian_filter(white, sigma, mode="wrap") - ndimage.gaussian_filter(white, 1.6 * sigma, mode="wrap")
        self._grid = band / band.std()
        self._scale = self._SAMPLES / wavelength

    def __call__(self, *points: Float) -> Float:
        """Values at coordinates in mm, one array per axis, all of one shape."""
        where = np.stack(points) * np.float32(self._scale)
        return ndimage.map_coordinates(self._grid, where, order=1, mode="grid-wrap", output=np.float32)


def ellipsoid(space: Space, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Float:
    """Approximate signed distance (mm, positive inside) to an ellipsoid; ``centre`` and ``radii`` along (x, a, z)."""
    offsets = [p - np.float32(c) for p, c in zip((space.x, space.a, space.z), centre, strict=True)]
    k0 = np.sqrt(sum((o / np.float32(r)) ** 2 for o, r in zip(offsets, radii, strict=True)))
    k1 = np.sqrt(sum((o / np.float32(r * r)) ** 2 for o, r in zip(offsets, radii, strict=True)))
    return k0 * (1 - k0) / np.maximum(k1, np.float32(1e-4))


def tube(space: Space, *knots: tuple[float, float, float, float], flatten: float = 1.0) -> Float:
    """Approximate signed distance (mm, positive inside) to a chain of balls.

    Parameters
    ----------
    space : Space
        Where to evaluate.
    *knots : tuple
        (x, a, z, radius) of the balls, joined in this order.
    flatten : float
        Divides the extent across ``x``; 2 makes the tube half as wide as it is high.
    """
    best: Float | None = None
    for (x0, a0, z0, r0), (x1, a1, z1, r1) in zip(knots[:-1], knots[1:], strict=True):
        dx, da, dz = x1 - x0, a1 - a0, z1 - z0
        px, pa, pz = space.x - np.float32(x0), space.a - np.float32(a0), space.z - np.float32(z0)
        t = np.clip((px * dx + pa * da + pz * dz) / np.float32(dx * dx + da * da + dz * dz), 0, 1)
        across = ((px - t * dx) * flatten) ** 2 + (pa - t * da) ** 2 + (pz - t * dz) ** 2
        inside = r0 + t * (r1 - r0) - np.sqrt(across)
        best = inside if best is None else np.maximum(best, inside)
    if best is None:
        raise ValueError("a tube needs two knots")
    return best.astype(np.float32)


def soft(distance: Float, width: float | Float = 0.7) -> Float:
    """Membership in [0, 1] from a signed distance: 0.5 on the surface, a linear ramp of ``2 * width`` mm."""
    return np.clip(distance / (2 * width) + np.float32(0.5), 0, 1).astype(np.float32)
