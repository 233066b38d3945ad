"""The synthetic study: a head, its lesions and the true mask."""

from __future__ import annotations

from collections.abc import Sequence as Seq

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.errors import DataError
from metseg.lesions.target import Target
from metseg.study.geometry import Geometry
from metseg.study.model import TRIPLET, Study
from metseg.synthetic.anatomy import Brain, HeadGrid, brain, frame, vault
from metseg.synthetic.fields import Float
from metseg.synthetic.head import acquire, paint
from metseg.synthetic.lesion import Mask, draw_targets
from metseg.synthetic.metastases import MetastasisConfig, random_lesions
from metseg.synthetic.shape import Kind, LesionSpec

#: Ranges that lesions are drawn from: radius and oedema in mm, irregularity, distance from the skull in mm.
_RANGES: dict[Kind, tuple[tuple[float, float], tuple[float, float], tuple[float, float], float]] = {
    "infiltrative": ((17, 25), (3, 7), (0.5, 0.9), 13.0),
    "ring": ((6, 12), (4, 13), (0.2, 0.5), 7.0),
    "solid": ((3.5, 7), (2, 8), (0.2, 0.5), 4.0),
}

#: Metastases of a few voxels, which hardly show on FLAIR; on post-contrast they can be mistaken for vessels.
_SMALL = MetastasisConfig(
    count=(4, 6),
    diameter=(3.0, 6.5),
    ring_share=0,
    bare_share=0.6,
    oedema=(1, 3),
    flair=(1.4, 1.8),
    enhancement=(2, 2.5),
)


def _scatter(rng: np.random.Generator, grid: HeadGrid, room: Float) -> list[LesionSpec]:
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


def _scatter_small(rng: np.random.Generator, grid: HeadGrid, room: Float, placed: Seq[LesionSpec]) -> list[LesionSpec]:
    """Small metastases anywhere in the brain, apart from those that are ``placed`` and from each other."""
    candidates = np.argwhere(room > _RANGES["solid"][-1])
    small: list[LesionSpec] = []
    for unplaced in random_lesions(rng, _SMALL):
        for z, y, x in candidates[rng.integers(len(candidates), size=60)] if len(candidates) else ():
            spec = unplaced.model_copy(update={"centre": (float(z), float(y), float(x))})
            if all(_apart(spec, other, grid.spacing) for other in (*placed, *small)):
                small.append(spec)
                break
    return small


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
    seed: int = 0,
    *,
    slices: int = 32,
    size: int = 256,
    lesions: Seq[LesionSpec] | None = None,
    target: Target = Target.FLAIR_ABNORMALITY,
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
        Exactly these, an empty one for a healthy head; by default one glioma-like lesion and seven to eleven
        metastases from a few voxels to some centimetres, fewer where the head has no room left.
    target : Target
        What the mask covers: all that a lesion made abnormal on FLAIR, or what enhances with the core inside it.
        Vessels enhance too and are in no mask.

    Returns
    -------
    Study
        Named ``synthetic-head-<seed>``; uint8 voxels (3, slices, size, size) in the order of ``TRIPLET``, the true
        mask and the spacing.

    Raises
    ------
    DataError
        If the head would be too small to draw.
    """
    return synthetic_targets(seed, slices=slices, size=size, lesions=lesions)[target]


def synthetic_targets(
    seed: int = 0, *, slices: int = 32, size: int = 256, lesions: Seq[LesionSpec] | None = None
) -> dict[Target, Study]:
    """Make up one head as :func:`synthetic_study` does, with a study for each target: equal but for the mask."""
    if slices < 8 or size < 64:
        raise DataError(f"a synthetic head needs at least 8 slices of 64 x 64, not {slices} of {size} x {size}")
    rng, lesion_rng, scanner_rng, small_rng = np.random.default_rng(seed).spawn(4)
    grid = frame(rng, slices, size)
    shell = vault(rng, grid)
    parts = brain(rng, grid, shell)
    voxels = paint(rng, grid, shell, parts)
    masks: dict[Target, Mask] = {target: np.zeros(grid.shape, np.uint8) for target in Target}
    room = np.minimum(shell.cavity, 60) * (parts.tissue > 0.9) * (grid.space.z > -40)
    if lesions is None:
        large = _scatter(lesion_rng, grid, room)
        lesions = [*large, *_scatter_small(small_rng, grid, room, large)]
    tissue, white = parts.bulk * (1 - parts.cortex.fissure), _whiteness(parts)
    for spec in lesions:
        side = np.sign(grid.space.x[tuple(int(c) for c in np.clip(spec.centre, 0, np.array(grid.shape) - 1))])
        here = tissue * np.clip(1 + side * grid.space.x / 6, 0, 1)
        voxels, masks = draw_targets(voxels, masks, spec, spacing=grid.spacing, tissue=here, whiteness=white)
    seen = acquire(scanner_rng, voxels, grid)
    geometry = Geometry.spaced(grid.spacing)
    return {
        target: Study(f"synthetic-head-{seed}", seen, TRIPLET, mask=mask, geometry=geometry)
        for target, mask in masks.items()
    }
