"""The folded cortical ribbon: sulci as level sets of noise that is drawn out along the surface normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metseg.synthetic.fields import Float, PointNoise, Space, grid_noise, soft


@dataclass(frozen=True, slots=True)
class Cortex:
    """Memberships of fluid in sulci and fissures, of grey matter beside them, and of the midline fissure alone."""

    sulci: Float
    grey: Float
    fissure: Float
    vessels: Float


def _along_surface(space: Space, inside: tuple[Float, ...]) -> tuple[Float, Float, Float]:
    """Move points outwards to a common shell, so that a noise value persists from the surface inwards."""
    x, a, z = inside
    core_x = np.where(x < 0, np.float32(-1), np.float32(1)) * np.clip(np.abs(x), 24, 34)
    core_a, core_z = np.clip(a, -42, 42), np.clip(z, -22, 14)
    out = np.stack([x - core_x, a - core_a, z - core_z])
    length = np.sqrt((out**2).sum(0)) + np.float32(1)
    onto = np.float32(38) / length
    return core_x + out[0] * (0.2 + 0.8 * onto), core_a + out[1] * (0.2 + 0.8 * onto), core_z + out[2] * (0.2 + 0.8 * onto)


def _fissure(space: Space) -> Float:
    """Distance (mm) to the midline where a fissure parts the hemispheres, growing where brain joins them."""
    closed = np.minimum(np.minimum(30 - space.z, 46 - space.a), space.a + 52)
    closed = np.maximum(closed, np.minimum(np.minimum(22 - np.abs(space.a + 2), 40), -space.z - 2))
    return np.abs(space.x) + np.clip(closed, 0, None)


def _sylvian(space: Space) -> Float:
    """Distance (mm) to the sheet that parts temporal from frontal lobe and covers the insula."""
    side = np.abs(space.x)
    opercular = np.hypot(np.clip(np.abs(space.a - 6 + 0.2 * side) - 20, 0, None), side - 43 + 0.010 * (space.a - 2) ** 2)
    opercular = np.hypot(opercular, np.clip(np.abs(space.z - 1) - 13, 0, None))
    slope = space.z + 4 - 0.28 * (16 - space.a)
    lateral = np.hypot(np.hypot(slope, np.clip(42 - side, 0, None)), np.clip(np.abs(space.a - 2) - 26, 0, None))
    return np.minimum(opercular, lateral)


def fold(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    space: Space,
    depth: Float,
    atrophy: float,
) -> Cortex:
    """Fold the cortex of a cerebrum.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape, spacing : tuple
        Grid size and voxel size in mm along (z, y, x).
    space : Space
        Anatomical positions of the voxels.
    depth : ndarray, shape (z, y, x)
        Signed distance to the cerebrum's hull in mm, positive inside.
    atrophy : float
        0 (narrow sulci) to 1 (wide sulci).
    """
    meander = [2.5 * grid_noise(rng, shape, spacing, 22) for _ in range(2)]
    uneven = grid_noise(rng, shape, spacing, 18)
    within = depth > -2
    points = [np.broadcast_to(p, shape)[within] for p in (space.x + meander[0], space.a + meander[1], space.z)]
    pattern = np.full(shape, 3, np.float32)
    pattern[within] = PointNoise(rng, 24)(*_along_surface(space, tuple(points)))
    slope = np.hypot(np.gradient(pattern, spacing[1], axis=1), np.gradient(pattern, spacing[2], axis=2))
    to_sulcus = np.abs(pattern) / (slope + np.float32(0.035))
    parted = _fissure(Space(space.x + 0.3 * meander[0], space.a, space.z))
    beneath = np.minimum(depth, np.where(parted - np.abs(space.x) < 1, parted, np.float32(99)))
    reach = 15 + 5 * uneven
    buried = np.clip(beneath - reach, 0, None)
    wide = (0.25 + 0.5 * atrophy) * np.clip(1.5 - beneath / 18, 0.3, 1.5)
    to_sulcus = np.hypot(to_sulcus, 1.5 * buried)
    to_sylvius = _sylvian(space) - 0.3 * (1 + atrophy)
    to_fluid = np.minimum(np.minimum(to_sulcus - wide, parted - 0.5 - 0.4 * atrophy), to_sylvius)
    thick = np.float32(2.9) + 0.35 * uneven
    grey = np.maximum(soft(thick - to_fluid, 0.9), soft(thick - depth, 0.9))
    fluid = soft(-to_fluid, 0.6)
    vessels = soft(uneven - 1.1, 0.25) * soft(1.0 - to_fluid, 0.6)
    return Cortex(fluid, grey, soft(1.0 - parted, 0.6), vessels)
