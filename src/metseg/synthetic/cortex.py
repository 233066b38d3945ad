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


def _along_surface(x: Float, a: Float, z: Float) -> tuple[Float, Float, Float]:
    """Move points outwards to a common shell, so that a noise value persists from the surface inwards."""
    core_x = np.where(x < 0, np.float32(-1), np.float32(1)) * np.clip(np.abs(x), 24, 34)
    core_a, core_z = np.clip(a, -42, 42), np.clip(z, -22, 14)
    out = np.stack([x - core_x, a - core_a, z - core_z])
    length = np.sqrt((out**2).sum(0)) + np.float32(1)
    onto = np.float32(38) / length
    moved = out * (np.float32(0.2) + np.float32(0.8) * onto)
    return core_x + moved[0], core_a + moved[1], core_z + moved[2]


def _fissure(space: Space) -> Float:
    """Distance (mm) to the midline where a fissure parts the hemispheres, growing where brain joins them."""
    closed = np.minimum(np.minimum(30 - space.z, 46 - space.a), space.a + 52)
    closed = np.maximum(closed, np.minimum(np.minimum(22 - np.abs(space.a + 2), 40), -space.z - 2))
    parted: Float = np.abs(space.x) + np.clip(closed, 0, None)
    return parted


def _sylvian(space: Space) -> Float:
    """Distance (mm) to the sheet that parts temporal from frontal lobe and covers the insula."""
    side = np.abs(space.x)
    insula = side - 43 + 0.010 * (space.a - 2) ** 2
    opercular = np.hypot(np.clip(np.abs(space.a - 6 + 0.2 * side) - 20, 0, None), insula)
    opercular = np.hypot(opercular, np.clip(np.abs(space.z - 1) - 13, 0, None))
    slope = space.z + 4 - 0.28 * (16 - space.a)
    lateral = np.hypot(np.hypot(slope, np.clip(42 - side, 0, None)), np.clip(np.abs(space.a - 2) - 26, 0, None))
    sheet: Float = np.minimum(opercular, lateral)
    return sheet


def fold(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    space: Space,
    depth: Float,
    lateral: Float,
    atrophy: float,
) -> Cortex:
    """Fold the cortex of a cerebrum.

    Parameters
    ----------
    shape, spacing : tuple
        Grid size and voxel size in mm along (z, y, x).
    space : Space
        Anatomical positions of the voxels.
    depth : ndarray, shape (z, y, x)
        Signed distance to the cerebrum's hull in mm, positive inside.
    lateral : ndarray, shape (z, y, x)
        Depth below the vault's inner table in mm, which limits how deep sulci reach.
    atrophy : float
        0 (narrow sulci) to 1 (wide sulci).
    """
    meander = [2.5 * grid_noise(rng, shape, spacing, 22) for _ in range(2)]
    uneven = grid_noise(rng, shape, spacing, 18)
    within = depth > -2
    points = [np.broadcast_to(p, shape)[within] for p in (space.x + meander[0], space.a + meander[1], space.z)]
    pattern = np.full(shape, 3, np.float32)
    pattern[within] = PointNoise(rng, 24)(*_along_surface(*points))
    slope = np.hypot(np.gradient(pattern, spacing[1], axis=1), np.gradient(pattern, spacing[2], axis=2))
    to_sulcus = np.abs(pattern) / (slope + np.float32(0.035))
    parted = _fissure(Space(space.x + 0.3 * meander[0], space.a, space.z))
    beneath = np.minimum(lateral - 2, np.where(parted - np.abs(space.x) < 1, parted, np.float32(99)))
    reach = 13 + 5 * uneven
    buried = np.clip(beneath - reach, 0, None)
    wide = (0.15 + 0.5 * atrophy) * np.clip(1.8 - beneath / 9, 0.0, 1.8) + 0.4 * uneven - 0.2
    to_sulcus = np.hypot(to_sulcus, 1.5 * buried)
    to_sylvius = _sylvian(Space(space.x, space.a + meander[1], space.z + meander[0])) - 0.6 * (1 + atrophy)
    to_fluid = np.minimum(np.minimum(to_sulcus - wide, parted - 0.5 - 0.4 * atrophy), to_sylvius)
    thick = np.float32(2.9) + 0.35 * uneven
    grey = np.maximum(soft(thick - to_fluid, 0.9), soft(thick - depth, 0.9))
    fluid = soft(-to_fluid, 0.6)
    vessels = soft(np.abs(meander[0]) - 3.6, 0.4) * soft(0.3 - to_fluid, 0.5)
    return Cortex(fluid, grey, soft(1.0 - parted, 0.6), vessels)
