"""Where each tissue of the synthetic head lies: memberships in [0, 1] on the voxel grid.

All lengths are mm in a frame whose origin is the middle of the brain. The proportions are those of an
adult head; the seed varies size, shape, pose, atrophy and every noise field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metseg.synthetic.fields import Float, PointNoise, Space, ellipsoid, grid_noise, soft, tube

#: Lowest and highest slice, in mm; the vertex lies a little below the highest.
BOTTOM, TOP = -66.0, 90.0
FIELD_OF_VIEW = 240.0


@dataclass(frozen=True, slots=True)
class HeadGrid:
    """The voxel grid and the anatomical position of each of its voxels."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    space: Space


@dataclass(frozen=True, slots=True)
class Vault:
    """Signed distances (mm, positive inside) that everything else hangs on."""

    head: Float
    skull: Float
    lateral: Float
    cavity: Float
    tentorium: Float


def frame(rng: np.random.Generator, slices: int, size: int) -> HeadGrid:
    """Lay a grid over a head of random size, pose and asymmetry."""
    shape, spacing = (slices, size, size), ((TOP - BOTTOM) / slices, FIELD_OF_VIEW / size, FIELD_OF_VIEW / size)
    z = np.linspace(BOTTOM, TOP, slices, dtype=np.float32)[:, None, None]
    row = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5)[None, :, None] * np.float32(FIELD_OF_VIEW)
    column = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5)[None, None, :] * np.float32(FIELD_OF_VIEW)
    yaw, pitch = np.radians(rng.normal(0, [2.0, 4.0])).astype(np.float32)
    shift = rng.normal(0, 2.0, 2).astype(np.float32)
    size_x, size_a, size_z = rng.normal([1.0, 1.0, 1.0], [0.025, 0.025, 0.02]).astype(np.float32)
    a0, x0 = -(row - shift[0] + 2), column - shift[1]
    x = (x0 * np.cos(yaw) + a0 * np.sin(yaw)) / size_x
    a1 = (-x0 * np.sin(yaw) + a0 * np.cos(yaw)) / size_a
    a, z = a1 * np.cos(pitch) - z * np.sin(pitch), (a1 * np.sin(pitch) + z * np.cos(pitch)) / size_z
    warp = [1.6 * grid_noise(rng, shape, spacing, 90) + 0.7 * grid_noise(rng, shape, spacing, 40) for _ in range(3)]
    return HeadGrid(shape, spacing, Space(x + warp[0], a + warp[1], z + warp[2]))


def _outline(space: Space) -> Float:
    """Head, nose and ears without the neck."""
    low = np.clip(-space.z / 60, 0, 1.3)
    wedge = 1 - 0.10 * space.a / 97 - low * 0.16 * np.clip(space.a / 97 + 0.2, 0, 1)
    depth = np.where(space.z > 0, np.float32(87), np.float32(150))
    scaled = (np.abs(space.x) / (76 * wedge), np.abs(space.a) / 96, np.abs(space.z) / depth)
    radius = sum(s**2.25 for s in scaled) ** np.float32(1 / 2.25)
    vault = (1 - radius) * np.minimum(74, 0.9 * np.hypot(np.hypot(space.x, space.a), space.z) + 8)
    nose = ellipsoid(space, (0, 94, -48), (14, 20, 26))
    ears = np.maximum(ellipsoid(space, (75, -12, -38), (6, 13, 24)), ellipsoid(space, (-75, -12, -38), (6, 13, 24)))
    head: Float = np.maximum(np.maximum(vault, nose), ears).astype(np.float32)
    return head


def _floor(space: Space) -> Float:
    """Height of the skull base: anterior, middle and posterior fossa, with the petrous ridge between the last two."""
    side = np.abs(space.x)
    ridge_line = -2 - 0.42 * np.clip(side - 10, 0, None)
    front, back = soft(space.a - 34 + 0.12 * side, 7), soft(ridge_line - space.a, 5)
    lateral = soft(side - 17, 7)
    middle = lateral * (-42 + 0.012 * (side - 42) ** 2) + (1 - lateral) * -24
    floor = front * (-10 - 6 * soft(9 - side, 4)) + (1 - front) * (back * -70 + (1 - back) * middle)
    ridge = lateral * np.exp(-(((space.a - ridge_line) / 4.5) ** 2))
    height: Float = floor + ridge * 16
    return height


def vault(rng: np.random.Generator, grid: HeadGrid) -> Vault:
    """Layers of the head from the skin to the brain's cavity."""
    space = grid.space
    head = _outline(space)
    uneven = grid_noise(rng, grid.shape, grid.spacing, 30)
    temporalis = 9 * np.exp(-(((space.a - 22) / 22) ** 2) - ((space.z + 18) / 22) ** 2) * soft(np.abs(space.x) - 45, 8)
    scalp = rng.uniform(5.0, 7.0) + 0.5 * uneven + temporalis
    bone = rng.uniform(4.5, 6.0) + 0.4 * grid_noise(rng, grid.shape, grid.spacing, 45) + 2 * soft(space.a - 78, 6)
    inner = head - scalp - bone
    cavity = np.minimum(inner, 0.8 * (space.z - _floor(space)))
    side = np.abs(space.x)
    tent = -6 - 0.32 * side - 0.10 * np.clip(-space.a - 40, 0, None) - 0.45 * np.clip(space.a + 42, 0, None)
    tentorium = np.where(space.a < -12 + 0.2 * side, space.z - tent, np.float32(30))
    return Vault(head, head - scalp, inner, cavity.astype(np.float32), tentorium.astype(np.float32))


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


def fold_cortex(
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


@dataclass(frozen=True, slots=True)
class Brain:
    """Memberships of the parts of the brain, and of what lies between them."""

    cavity: Float
    cerebrum: Float
    cortex: Cortex
    cerebellum: Float
    folia: Float
    stem: Float
    ventricles: Float
    plexus: Float
    deep_grey: Float

    @property
    def tissue(self) -> Float:
        """White and grey matter, without any cerebrospinal fluid."""
        return self.bulk * (1 - self.cortex.sulci * (self.cerebrum > 0))

    @property
    def bulk(self) -> Float:
        """As :attr:`tissue`, with the sulci filled, as where swelling has closed them."""
        return np.maximum(np.maximum(self.cerebrum, self.cerebellum), self.stem) * (1 - self.ventricles)


def _cerebrum(grid: HeadGrid, shell: Vault, gap: float, uneven: Float) -> Float:
    """Signed distance to the cerebrum's hull: the cavity less its fluid, the posterior fossa and the basal cisterns."""
    space = grid.space
    hull = np.minimum(shell.cavity - gap - 0.5 * uneven, shell.tentorium - 1.0)
    star = ellipsoid(space, (0, 9, -20), (15, 12, 10)) - 2.5 * np.abs(uneven)
    around = np.minimum(_stem(space) + 4.0, -6 - space.z)
    outside: Float = np.minimum(hull, -np.maximum(star, around))
    return outside


def _stem(space: Space) -> Float:
    """Signed distance to midbrain, pons and medulla."""
    return tube(space, (0, -16, 2, 14), (0, -18, -14, 12.5), (0, -19, -30, 13), (0, -24, -46, 8), (0, -30, -80, 7))


def _ventricles(space: Space, wide: float) -> tuple[Float, Float]:
    """Signed distance to the ventricles, and to the choroid plexus inside them."""
    best = tube(space, (0, 8, 2, 1.6 * wide), (0, -7, 0, 1.8 * wide), (0, -20, -8, 1.0), flatten=1.0)
    fourth = ellipsoid(space, (0, -37, -32), (8 * wide, 4.5 * wide, 10))
    best = np.maximum(best, fourth)
    plexus: Float | None = None
    for s in (-1.0, 1.0):
        frontal = tube(
            space, (s * 15, 38, 10, 2.5 * wide), (s * 9, 26, 13, 5 * wide), (s * 6, 8, 14, 4.5 * wide), flatten=1.35
        )
        body = tube(
            space,
            (s * 6, 8, 15, 4.5 * wide),
            (s * 11, -12, 21, 4.5 * wide),
            (s * 20, -30, 15, 5 * wide),
            (s * 26, -40, 4, 5.5 * wide),
        )
        horns = np.maximum(
            tube(space, (s * 26, -40, 4, 5.5 * wide), (s * 24, -58, 1, 2.2 * wide)),
            tube(space, (s * 27, -36, -2, 4 * wide), (s * 33, -12, -20, 2.5), (s * 30, 4, -25, 2.2)),
        )
        best = np.maximum(np.maximum(best, frontal), np.maximum(body, horns))
        here = tube(space, (s * 18, -26, 13, 1.8), (s * 25, -38, 5, 3.2))
        plexus = here if plexus is None else np.maximum(plexus, here)
    assert plexus is not None  # noqa: S101
    return best, plexus


def _deep_grey(space: Space) -> Float:
    """Signed distance to thalamus, lentiform nucleus and head of the caudate."""
    best = ellipsoid(space, (10, -8, 5), (8.5, 15, 10))
    for s in (-1.0, 1.0):
        best = np.maximum(best, ellipsoid(space, (s * 10, -8, 5), (8.5, 15, 10)))
        best = np.maximum(best, tube(space, (s * 22, 20, 3, 6), (s * 27, 6, 3, 7), (s * 28, -10, 4, 4)))
        best = np.maximum(best, tube(space, (s * 13, 24, 7, 5.5), (s * 15, 10, 18, 3)))
    return best


def brain(rng: np.random.Generator, grid: HeadGrid, shell: Vault) -> Brain:
    """Fill the cavity."""
    space = grid.space
    uneven = grid_noise(rng, grid.shape, grid.spacing, 25)
    atrophy = rng.uniform(0.0, 1.0)
    cerebrum = _cerebrum(grid, shell, 1.2 + 1.6 * atrophy, uneven)
    stem = _stem(space)
    cerebellum = np.minimum(
        np.minimum(shell.cavity - 2.0, -shell.tentorium - 1.0),
        np.maximum(ellipsoid(space, (0, -56, -38), (66, 40, 36)), ellipsoid(space, (0, -38, -34), (24, 14, 16))),
    )
    notch = 0.9 - np.abs(space.x) - 0.08 * (space.a + 75)
    cerebellum = np.minimum(cerebellum, np.maximum(-notch, -(space.a + 62)))
    across = space.a * 0.55 + np.abs(space.x) * 0.35 - space.z * 0.9 + 2.2 * uneven
    leaves = np.sin(across * np.float32(2 * np.pi / 6.5))
    fluid, plexus = _ventricles(space, 0.85 + 0.5 * atrophy + rng.uniform(-0.1, 0.1))
    fluid = fluid + 0.4 * uneven
    return Brain(
        cavity=soft(shell.cavity, 0.8),
        cerebrum=soft(cerebrum, 0.8),
        cortex=fold_cortex(rng, grid.shape, grid.spacing, space, cerebrum, shell.lateral, atrophy),
        cerebellum=soft(cerebellum, 0.8),
        folia=(0.5 + 0.5 * leaves) * soft(12 - cerebellum, 4),
        stem=soft(stem, 0.8) * soft(shell.cavity - 1, 0.8),
        ventricles=soft(fluid, 0.9) * soft(shell.cavity - 4, 2),
        plexus=soft(plexus + 0.8 * uneven, 0.9) * soft(fluid, 0.8),
        deep_grey=soft(_deep_grey(space), 1.2),
    )
