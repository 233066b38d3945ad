"""One lesion and its shape: which share of each voxel belongs to which of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage

from metseg.synthetic.fields import Float, grid_noise, soft

Triple = tuple[float, float, float]
Bool = npt.NDArray[np.bool_]
Kind = Literal["ring", "solid", "infiltrative"]
Positive = Annotated[float, Field(gt=0)]

#: Slices thicker than this (mm) are averaged from several planes.
_PLANE = 1.2
#: Grid of the oedema's way through the brain, mm within the slice.
_COARSE = 2.0
#: Narrower oedema (mm) is none.
_NONE = 0.1
#: How fast oedema spreads in fluid, how much faster in grey and how much faster still in white matter.
_FLUID, _GREY, _WHITE = 0.03, 0.42, 0.55


class LesionSpec(BaseModel, frozen=True, extra="forbid"):
    """One lesion.

    Attributes
    ----------
    kind : {"ring", "solid", "infiltrative"}
        Metastasis with a dark core, metastasis that takes up contrast throughout, or a glioma-like
        lesion that does not take it up.
    centre : tuple of float
        (z, y, x) in voxels.
    radius : float
        Mean radius in mm, without the oedema.
    oedema : float
        Width in mm of the oedema around it; it prefers white matter.
    flair : float
        Brightness of the abnormality on FLAIR, relative to normal brain.
    enhancement : float
        Brightness of what takes up contrast, relative to normal brain.
    irregularity : float
        0 for a smooth ball; 0.5 for ragged.
    seed : int
        Of this lesion's shape.
    """

    kind: Kind
    centre: tuple[float, float, float]
    radius: Positive
    oedema: Annotated[float, Field(ge=0)] = 6.0
    flair: Positive = 1.9
    enhancement: Positive = 2.1
    irregularity: Annotated[float, Field(ge=0, le=1)] = 0.3
    seed: int = 0


class Block:
    """The part of a volume that a lesion can reach, with distances from its centre."""

    def __init__(self, spec: LesionSpec, shape: tuple[int, int, int], spacing: Triple) -> None:
        reach = 2.2 * (spec.radius + spec.oedema) + 4
        self.spec, self.spacing = spec, spacing
        self.window = tuple(
            slice(max(0, int(c - reach / s)), min(n, int(c + reach / s) + 2))
            for c, s, n in zip(spec.centre, spacing, shape, strict=True)
        )
        self.empty = any(w.start >= w.stop for w in self.window)
        if self.empty:
            return
        depth, rows, columns = (w.stop - w.start for w in self.window)
        self.shape = (depth, rows, columns)
        rng = np.random.default_rng([spec.seed, 77])
        waves = (max(8.0, 1.3 * spec.radius), max(4.0, min(9.0, 1.5 * spec.radius)), 4.0)
        self.noise = [grid_noise(rng, self.shape, spacing, wave) for wave in waves]
        stretch = np.exp(rng.uniform(-0.28, 0.28, 3))
        self._stretch = stretch / stretch.prod() ** (1 / 3)
        self._axes = [
            ((np.arange(w.start, w.stop) - c) * s).astype(np.float32)
            for w, c, s in zip(self.window, spec.centre, spacing, strict=True)
        ]
        self.distance = self._distance(0.0)

    def _distance(self, above: float) -> Float:
        """Distance from the centre, in a stretched space, of points ``above`` mm beyond each slice's middle."""
        z, y, x = self._axes
        shifted = (z + np.float32(above), y, x)
        z, y, x = ((axis / np.float32(s)) ** 2 for axis, s in zip(shifted, self._stretch, strict=True))
        return np.asarray(np.sqrt(z[:, None, None] + y[None, :, None] + x[None, None, :]), np.float32)

    @property
    def _ragged(self) -> Float:
        """By how much the surface lies further out than a ball's, mm."""
        radius, irregularity = self.spec.radius, self.spec.irregularity
        coarse, middle, fine = self.noise
        rough = irregularity * (radius * 0.45 * coarse + min(radius, 6) * 0.35 * middle)
        return np.asarray(rough + min(0.3, 0.1 * radius) * fine, np.float32)

    def infiltration(self, tissue: Float, whiteness: Float) -> Float:
        """Membership of a lesion without a surface, thinning out into the white matter."""
        depth = self.spec.radius + self._ragged - self.distance
        spread = depth + self.spec.oedema * (0.8 * whiteness + 0.5 * self.noise[0])
        membership = soft(spread, 2.4) * tissue
        islands, _ = ndimage.label(membership > 0.15)
        within = islands[self.distance < max(float(self.distance.min()), 4.0)]
        return np.asarray(membership * np.isin(islands, np.unique(within[within > 0])), np.float32)

    def tumour(self, tissue: Float, wall: float | None) -> tuple[Float, Float]:
        """Memberships of the whole tumour and of its core, averaged over each slice's thickness.

        ``wall`` is the thickness in mm of what surrounds the core; ``None`` for a tumour without one.
        """
        planes = int(np.clip(np.ceil(self.spacing[0] / _PLANE), 1, 6))
        whole, core = (np.zeros(self.shape, np.float32) for _ in range(2))
        outside = self.spec.radius + self._ragged
        thick = (0 if wall is None else wall) * (1 + np.float32(0.5) * self.noise[1])
        for plane in range(planes):
            depth = outside - self._distance(((plane + 0.5) / planes - 0.5) * self.spacing[0])
            whole += soft(depth, 0.7) * np.maximum(tissue, soft(depth - 1, 1))
            if wall is not None:
                core += soft(depth - np.maximum(thick, 0.8), 0.7)
        return whole / np.float32(planes), core / np.float32(planes)

    def swelling(self, tumour: Float, tissue: Float, whiteness: Float) -> tuple[Float, Float]:
        """Membership of the oedema, and how far out (0 at the tumour, 1 at the rim) each voxel lies in it.

        Oedema creeps through tissue from the tumour's surface, fast along white matter, hardly into cortex and not
        across fluid.
        """
        width = self.spec.oedema
        if width < _NONE:
            return np.zeros(self.shape, np.float32), np.ones(self.shape, np.float32)
        coarse, middle, _ = self.noise
        pace = np.exp(0.45 * coarse + 0.2 * middle)
        slowness = np.asarray(1 / (_FLUID + tissue * (_GREY + _WHITE * whiteness) * pace), np.float32)
        step = max(1, round(_COARSE / self.spacing[1]))
        seeds = _pooled(tumour, step) > 0.3
        if not seeds.any():
            seeds.flat[np.argmin(_pooled(self.distance, step))] = True
        grid = (self.spacing[0], self.spacing[1] * step, self.spacing[2] * step)
        time = travel_time(_pooled(slowness, step), seeds, grid, limit=1.3 * width + 2)
        arrival = _unpooled(time, step, self.shape)
        return soft(width - arrival, 1.6) * tissue, np.clip(arrival / width, 0, 1)


def _pooled(field: Float, step: int) -> Float:
    """Means of ``step`` by ``step`` pixels, the last ones repeated at the edges."""
    if step == 1:
        return field
    z, y, x = field.shape
    padded = np.pad(field, ((0, 0), (0, -y % step), (0, -x % step)), mode="edge")
    blocks = padded.reshape(z, padded.shape[1] // step, step, padded.shape[2] // step, step)
    return np.asarray(blocks.mean(axis=(2, 4)), np.float32)


def _unpooled(field: Float, step: int, shape: tuple[int, int, int]) -> Float:
    """Back from :func:`_pooled`, smoothly."""
    z, y, x = shape
    if step == 1:
        return field
    large = field.repeat(step, axis=1).repeat(step, axis=2)[:, :y, :x]
    return np.asarray(ndimage.uniform_filter(large, (1, step + 1, step + 1)), np.float32)


def travel_time(slowness: Float, seeds: Bool, spacing: Triple, *, limit: float) -> Float:
    """Shortest time from ``seeds`` to every voxel.

    Parameters
    ----------
    slowness : ndarray of float32, shape (z, y, x)
        Time that a millimetre takes; positive.
    seeds : ndarray of bool, same shape
        Where time is 0.
    spacing : tuple of float
        Voxel size in mm along (z, y, x).
    limit : float
        Times beyond it are not worked out, and given as ``limit``.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Shortest paths along 8 neighbours within a slice and 2 across (Bellman 1958), for small blocks.
    """
    time = np.where(seeds, np.float32(0), np.float32(limit))
    edges = [
        (here, there, (slowness[here] + slowness[there]) * np.float32(length / 2))
        for here, there, length in _neighbours(spacing)
    ]
    while True:
        before = time.copy()
        for here, there, duration in edges:
            np.minimum(time[there], time[here] + duration, out=time[there])
            np.minimum(time[here], time[there] + duration, out=time[here])
        if np.array_equal(before, time):
            return time


def _neighbours(spacing: Triple) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], float]]:
    """Two views of a block, one voxel apart, and the length of that step in mm, for half of all directions."""
    for offset in ((1, 0, 0), *((0, y, x) for y, x in product((0, 1), (-1, 0, 1)) if (y, x) > (0, 0))):
        here = tuple(slice(max(0, -o), -o if o > 0 else None) for o in offset)
        there = tuple(slice(max(0, o), o if o < 0 else None) for o in offset)
        yield here, there, float(np.linalg.norm(np.multiply(offset, spacing)))
