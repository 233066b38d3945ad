"""The synthetic study: a head, its lesions and the true mask."""

from __future__ import annotations

from collections.abc import Sequence as Seq

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.errors import DataError
from metseg.study.model import TRIPLET, Geometry, Study
from metseg.synthetic.anatomy import Brain, Frame, brain, frame, vault
from metseg.synthetic.fields import Float
from metseg.synthetic.head import acquire, paint
from metseg.synthetic.lesion import Kind, LesionSpec, draw_lesion

#: Ranges that lesions are drawn from: radius and oedema in mm, irregularity, distance from the skull in mm.
_RANGES: dict[Kind, tuple[tuple[float, float], tuple[float, float], tuple[float, float], float]] = {
    "infiltrative": ((17, 25), (3, 7), (0.5, 0.9), 13.0),
    "ring": ((6, 12), (4, 13), (0.2, 0.5), 7.0),
    "solid": ((3.5, 7), (2, 8), (0.2, 0.5), 4.0),
}


def _scatter(rng: np.random.Generator, grid: Frame, room: Float) -> list[LesionSpec]:
    """One infiltrative lesion of the cerebrum and several metastases anywhere in the brain, apart from each other."""
    counts: dict[Kind, int] = {"infiltrative": 1, "ring": int(rng.integers(2, 4)), "solid": int(rng.integers(1, 4))}
    placed: list[LesionSpec] = []
    for kind in (kind for kind, count in counts.items() for _ in range(count)):
        allowed = room * (grid.space.z > 4) if kind == "infiltrative" else room
        candidates = np.argwhere(allowed > _RANGES[kind][-1])
        for centre in candidates[rng.integers(len(candidates), size=60)] if len(candidates) else ():
            spec = _random_lesion(rng, kind, centre)
            if all(_apart(spec, other, grid.spacing) for other in placed):
                placed.append(spec)
                break
    return placed


def _random_lesion(rng: np.random.Generator, kind: Kind, centre: npt.NDArray[np.int64]) -> LesionSpec:
    radius, oedema, irregularity, _ = _RANGES[kind]
    z, y, x = (float(c) for c in centre)
    return LesionSpec(
        kind=kind,
        centre=(z, y, x),
        radius=rng.uniform(*radius),
        oedema=rng.uniform(*oedema),
        flair=rng.uniform(1.6, 2.2),
        enhancement=rng.uniform(1.8, 2.5),
        irregularity=rng.uniform(*irregularity),
        seed=int(rng.integers(2**31)),
    )


def _apart(one: LesionSpec, other: LesionSpec, spacing: tuple[float, float, float]) -> bool:
    between = np.linalg.norm((np.subtract(one.centre, other.centre)) * np.asarray(spacing))
    return bool(between > 1.15 * (one.radius + one.oedema + other.radius + other.oedema))


def _whiteness(parts: Brain) -> Float:
    white = parts.cerebrum * (1 - parts.cortex.grey) * (1 - 0.7 * parts.deep_grey)
    white = np.maximum(white, 0.6 * np.maximum(parts.cerebellum, parts.stem))
    spread: Float = ndimage.gaussian_filter(white, (0.5, 2.2, 2.2))
    return spread


def synthetic_study(
    seed: int = 0, *, slices: int = 32, size: int = 256, lesions: Seq[LesionSpec] | None = None
) -> Study:
    """Make up an examination of a head with brain lesions.

    Parameters
    ----------
    seed : int
        Everything that varies follows from it: anatomy, pose, contrasts, lesions, bias field, noise. With other
        ``lesions`` the same seed gives the same head, bias field and noise.
    slices : int
        Axial slices from the skull base to the vertex, at least 8.
    size : int
        Rows and columns of each slice, at least 64.
    lesions : sequence of LesionSpec, optional
        Exactly these, an empty one for a healthy head; by default one glioma-like lesion and three to six
        metastases, fewer where the head has no room left.

    Returns
    -------
    Study
        Named ``synthetic-head-<seed>``; uint8 voxels (3, slices, size, size) in the order of ``TRIPLET``, the true
        mask (what a lesion made abnormal on FLAIR) and the spacing.

    Raises
    ------
    DataError
        If the head would be too small to draw.
    """
    if slices < 8 or size < 64:
        raise DataError(f"a synthetic head needs at least 8 slices of 64 x 64, not {slices} of {size} x {size}")
    rng, lesion_rng, scanner_rng = np.random.default_rng(seed).spawn(3)
    grid = frame(rng, slices, size)
    shell = vault(rng, grid)
    parts = brain(rng, grid, shell)
    voxels = paint(rng, grid, shell, parts)
    mask = np.zeros(grid.shape, np.uint8)
    room = np.minimum(shell.cavity, 60) * (parts.tissue > 0.9) * (grid.space.z > -40)
    specs = _scatter(lesion_rng, grid, room) if lesions is None else lesions
    tissue, white = parts.bulk * (1 - parts.cortex.fissure), _whiteness(parts)
    for spec in specs:
        side = np.sign(grid.space.x[tuple(int(c) for c in np.clip(spec.centre, 0, np.array(grid.shape) - 1))])
        here = tissue * np.clip(1 + side * grid.space.x / 6, 0, 1)
        voxels, mask = draw_lesion(voxels, mask, spec, spacing=grid.spacing, tissue=here, whiteness=white)
    return Study(
        name=f"synthetic-head-{seed}",
        voxels=acquire(scanner_rng, voxels, grid),
        sequences=TRIPLET,
        mask=mask,
        geometry=Geometry(spacing=grid.spacing),
    )
