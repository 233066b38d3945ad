"""From memberships to three MR sequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.synthetic.anatomy import Brain, HeadGrid, Vault
from metseg.synthetic.fields import Float, Space, ellipsoid, grid_noise, soft, tube

#: Typical 8-bit intensity of each tissue before contrast, on FLAIR and after contrast.
SIGNAL: dict[str, tuple[float, float, float]] = {
    "air": (4, 3, 4),
    "skin": (70, 75, 80),
    "fat": (148, 138, 118),
    "bone": (12, 12, 14),
    "marrow": (62, 55, 60),
    "muscle": (52, 42, 58),
    "mucosa": (55, 80, 120),
    "fluid": (18, 14, 20),
    "white": (82, 60, 74),
    "grey": (63, 74, 60),
    "nuclei": (70, 66, 66),
    "vessel": (40, 26, 150),
    "plexus": (60, 60, 135),
    "vitreous": (20, 16, 22),
}


@dataclass(frozen=True, slots=True)
class Painter:
    """A head in the making: tissues are laid over one another."""

    voxels: Float
    contrast: dict[str, tuple[float, float, float]]

    def lay(self, tissue: str, membership: Float, texture: Float | float = 1.0) -> None:
        """Blend ``tissue`` in where ``membership`` (z, y, x) is above 0."""
        reached = np.flatnonzero(membership.max(axis=(1, 2)) > 0)
        if not len(reached):
            return
        block = slice(int(reached[0]), int(reached[-1]) + 1)
        over = membership[block]
        grain = texture if isinstance(texture, float) else texture[block]
        for channel, level in zip(self.voxels, self.contrast[tissue], strict=True):
            channel[block] += over * (np.float32(level) * grain - channel[block])


def varied_contrast(rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Each sequence's contrast, varied a little as between scanners."""
    gain = rng.normal(1.0, 0.08, 3)
    flatness = rng.uniform(0.0, 0.5, 3)
    level = {tissue: np.array(signal) * gain for tissue, signal in SIGNAL.items()}
    mean = (level["white"] + level["grey"]) / 2
    for tissue in ("white", "grey", "nuclei"):
        level[tissue] = level[tissue] + flatness * (mean - level[tissue])
    return {tissue: (float(s[0]), float(s[1]), float(s[2])) for tissue, s in level.items()}


def _face(painter: Painter, space: Space, shell: Vault, noise: Float, fine: Float) -> None:
    """Everything outside the brain's cavity: muscle, fat, bone, air spaces, orbits, skin."""
    inside = soft(shell.head, 0.8)
    painter.lay("muscle", inside, 1 + 0.14 * fine)
    planes = np.maximum(soft(0.10 - np.abs(noise), 0.12), soft(noise - 1.1, 0.3))
    painter.lay("fat", inside * planes * soft(-14 - space.z, 8), 0.8)
    from_middle = np.abs(space.x)
    behind_ridge = np.abs(space.a + 2 + 0.42 * np.clip(from_middle - 10, 0, None))
    petrous = soft(9 - behind_ridge, 2) * soft(from_middle - 12, 3) * soft(space.z + 50, 3)
    base = soft(-space.z - 4, 6) * np.maximum(soft(3.2 + 0.8 * noise + shell.cavity, 1), petrous) * soft(shell.skull, 1)
    painter.lay("bone", inside * base)
    painter.lay("marrow", inside * base * soft(fine - 0.5, 0.5), 0.8)
    ends = soft(space.z + 42 + 0.8 * np.clip(-space.a, 0, 32), 5)
    dome = inside * soft(shell.skull, 0.8) * soft(8 + shell.cavity, 1.0) * soft(2 - shell.lateral, 1) * ends
    painter.lay("bone", dome)
    painter.lay("marrow", dome * soft(1.6 - np.abs(shell.cavity + 2.6), 0.9), 0.9 + 0.25 * noise)
    for side in (-1.0, 1.0):
        _orbit(painter, space, side)
        painter.lay("air", inside * soft(ellipsoid(space, (side * 29, 58, -54), (15, 17, 16)) + 2 * noise, 0.9))
        cells = soft(ellipsoid(space, (side * 53, -26, -42), (13, 14, 17)) + 3 * fine - 2, 1.2)
        painter.lay("air", inside * cells)
    nasal = np.minimum(ellipsoid(space, (0, 58, -46), (17, 36, 30)), 92 - space.a)
    painter.lay("air", inside * soft(nasal, 0.9))
    turbinate = np.cos((np.abs(space.x) - 1 + 2 * noise) * np.float32(2 * np.pi / 8.5)) - 0.35
    painter.lay("mucosa", inside * soft(nasal, 0.9) * soft(turbinate, 0.35))
    painter.lay("air", inside * soft(ellipsoid(space, (0, 84, -2), (22, 7, 12)) + 2 * noise, 0.8))
    painter.lay("air", inside * soft(ellipsoid(space, (0, 26, -34), (12, 12, 9)) + noise, 0.8))
    rim = soft(4.2 + 0.6 * noise - shell.head, 0.8) * soft(shell.head - 1.2, 0.6)
    painter.lay("fat", inside * rim * soft(space.z + 90, 20), 0.95 + 0.12 * noise)
    painter.lay("fat", inside * soft(-(shell.skull - 0.4), 0.8) * soft(space.z - 12 + 4 * noise, 8), 0.95 + 0.1 * noise)
    painter.lay("skin", inside * soft(1.6 - shell.head, 0.7))


def _orbit(painter: Painter, space: Space, side: float) -> None:
    """Fat cone, muscles and nerve, globe and lens of one eye."""
    cone = tube(space, (side * 32, 68, -24, 14.5), (side * 27, 52, -22, 11), (side * 16, 34, -21, 4))
    painter.lay("fat", soft(cone, 0.9))
    painter.lay("muscle", soft(tube(space, (side * 43, 68, -24, 2.4), (side * 17, 36, -23, 1.6)), 0.7))
    painter.lay("muscle", soft(tube(space, (side * 21, 70, -24, 2.4), (side * 12, 38, -23, 1.6)), 0.7))
    painter.lay("white", soft(tube(space, (side * 31, 62, -25, 1.8), (side * 13, 28, -21, 1.8)), 0.7))
    painter.lay("muscle", soft(ellipsoid(space, (side * 32, 76, -25), (13, 13, 13)), 0.7))
    painter.lay("vitreous", soft(ellipsoid(space, (side * 32, 76, -25), (11.4, 11.4, 11.4)), 0.7))
    painter.lay("muscle", soft(ellipsoid(space, (side * 32, 84, -25), (5, 2.4, 5)), 0.6))


def _vessels(painter: Painter, space: Space, shell: Vault, parts: Brain) -> None:
    """Dural sinuses, falx and vessels of the fissures and sulci."""
    cavity = parts.cavity
    outer = np.clip(4.5 - shell.cavity, 0, None)
    sagittal = soft(0.9 * outer - np.abs(space.x), 0.7) * soft(space.z + 6, 4) * soft(8 - shell.cavity, 1)
    behind = np.maximum(soft(space.z - 10, 8), soft(-space.a - 20, 8))
    painter.lay("vessel", cavity * sagittal * behind)
    straight = soft(tube(space, (0, -34, 6, 1.8), (0, -78, -12, 2.4)), 0.7)
    painter.lay("vessel", cavity * straight)
    transverse = soft(2.6 - np.abs(shell.tentorium), 0.8) * soft(4.5 - shell.cavity, 0.8) * soft(-space.a - 22, 4)
    painter.lay("vessel", cavity * transverse)
    willis = soft(tube(space, (0, 10, -16, 1.5), (14, 13, -16, 1.5), (32, 14, -11, 1.4), (44, 6, -3, 1.2)), 0.7)
    other = soft(tube(space, (0, 10, -16, 1.5), (-14, 13, -16, 1.5), (-32, 14, -11, 1.4), (-44, 6, -3, 1.2)), 0.7)
    painter.lay("vessel", cavity * np.maximum(willis, other))
    painter.lay("vessel", cavity * soft(tube(space, (0, 2, -22, 1.7), (0, 4, -50, 1.7)), 0.7))
    painter.lay("vessel", cavity * parts.cerebrum * parts.cortex.vessels)


def paint(rng: np.random.Generator, grid: HeadGrid, shell: Vault, parts: Brain) -> Float:
    """Noiseless intensities of a healthy head, shape (3, z, y, x) float32."""
    painter = Painter(np.full((3, *grid.shape), 4, np.float32), varied_contrast(rng))
    space = grid.space
    noise, fine = (grid_noise(rng, grid.shape, grid.spacing, wave) for wave in (20, 8))
    _face(painter, space, shell, noise, fine)
    patchy = 1 + 0.035 * noise + 0.02 * fine
    painter.lay("fluid", parts.cavity)
    cerebrum = parts.cerebrum
    painter.lay("white", cerebrum, patchy)
    painter.lay("nuclei", cerebrum * parts.deep_grey, patchy)
    painter.lay("grey", cerebrum * parts.cortex.grey * (1 - 0.8 * parts.deep_grey), patchy)
    painter.lay("fluid", cerebrum * parts.cortex.sulci)
    painter.lay("white", parts.cerebellum, patchy)
    painter.lay("grey", parts.cerebellum * (0.35 + 0.65 * parts.folia), patchy)
    painter.lay("fluid", parts.cerebellum * np.clip(parts.folia - 0.75, 0, 1) * 0.9)
    painter.lay("white", parts.stem, patchy)
    painter.lay("nuclei", parts.stem * 0.4, patchy)
    painter.lay("fluid", parts.ventricles)
    painter.lay("plexus", parts.plexus * 0.8)
    _vessels(painter, space, shell, parts)
    return painter.voxels


def acquire(rng: np.random.Generator, clean: Float, grid: HeadGrid) -> npt.NDArray[np.uint8]:
    """Bias field, coil sensitivity, point spread and Rician noise; uint8, same shape as ``clean``."""
    out = np.empty(clean.shape, np.uint8)
    for channel, picture in enumerate(clean):
        bias = np.exp(0.09 * grid_noise(rng, grid.shape, grid.spacing, 160))
        ends = grid.space.z / 100
        fall_off = 1 - 0.10 * np.clip(np.abs(ends) - 0.5, 0, 1)
        sharp = ndimage.gaussian_filter(picture, (0.25, 0.55, 0.55)) * bias * fall_off
        sigma = np.float32(rng.uniform(1.4, 2.6))
        real, imaginary = rng.standard_normal((2, *grid.shape), dtype=np.float32) * sigma
        seen = ndimage.gaussian_filter(np.hypot(sharp + real, imaginary), (0, 0.4, 0.4))
        out[channel] = np.clip(np.rint(seen), 0, 255)
    return out
