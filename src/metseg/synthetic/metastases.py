"""Simulated metastases in a real head."""

from __future__ import annotations

import zlib
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, model_validator
from scipy import ndimage

from metseg.lesions.target import Target
from metseg.study.model import Study
from metseg.synthetic.brain_map import BrainMap, map_brain, stand_ins
from metseg.synthetic.fields import Float
from metseg.synthetic.lesion import draw_lesion
from metseg.synthetic.shape import Kind, LesionSpec

#: Tumours of a smaller diameter (mm) have no core that could be told from their rim.
_SMALLEST_RING = 6.0
#: Slices with less brain than this share of the fullest one are left alone: skull base, neck and vertex.
_LEAST_BRAIN = 0.3
#: Distance (mm) that is kept between what lesions make abnormal, and to what is outlined already.
_APART = 4.0
#: Places tried for a lesion before it is given up.
_TRIES = 40
#: Lesions outlined on fewer voxels than this were too faint to be seen, and are not kept.
_FEWEST_VOXELS = 2

Range = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class MetastasisConfig(BaseModel, frozen=True, extra="forbid"):
    """How many metastases, how large and how bright; ranges are drawn from evenly unless said otherwise.

    Attributes
    ----------
    count : tuple of int
        Fewest and most lesions of a head. Heads without enough room get fewer.
    diameter : tuple of float
        Of the tumour without its oedema, mm; small ones are more frequent (even on a logarithmic scale).
    ring_share : float
        Share of the tumours of 6 mm or more that have a dark core.
    bare_share : float
        Share without oedema.
    oedema : tuple of float
        Width in mm of the oedema of the others. Small tumours have less: at most their diameter.
    flair : tuple of float
        Brightness of oedema on FLAIR relative to normal brain.
    enhancement : tuple of float
        Brightness of rim or solid tumour after contrast relative to normal brain.
    irregularity : tuple of float
        See :class:`LesionSpec`.
    """

    count: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=50)]] = (1, 8)
    diameter: Range = (2.0, 20.0)
    ring_share: Annotated[float, Field(ge=0, le=1)] = 0.6
    bare_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    oedema: Range = (1.0, 12.0)
    flair: Range = (1.4, 2.1)
    enhancement: Range = (1.5, 2.6)
    irregularity: Range = (0.15, 0.6)

    @model_validator(mode="after")
    def _ranges_ascend(self) -> MetastasisConfig:
        for name in ("count", "diameter", "oedema", "flair", "enhancement", "irregularity"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} is above {high}")
        if min(self.diameter[0], self.flair[0], self.enhancement[0]) <= 0:
            raise ValueError("diameter, flair and enhancement must be above 0")
        return self


@dataclass(frozen=True, slots=True)
class InsertedLesion:
    """One lesion that was drawn.

    Attributes
    ----------
    label : int
        Its number in :attr:`Insertion.labels`, from 1.
    spec : LesionSpec
        What was drawn; ``centre`` in voxels, lengths in mm by :attr:`Insertion.spacing`.
    voxels : int
        Outlined; with the oedema if FLAIR abnormality is.
    slices : tuple of int
        First and last slice on which it is outlined.
    """

    label: int
    spec: LesionSpec
    voxels: int
    slices: tuple[int, int]

    @property
    def diameter(self) -> float:
        """Of the tumour without its oedema, mm."""
        return 2 * self.spec.radius


@dataclass(frozen=True, eq=False)
class Insertion:
    """A head with simulated metastases.

    Attributes
    ----------
    study : Study
        Copy of the head with the lesions in its voxels, and in its mask beside those that were there.
    labels : ndarray of uint8, shape (z, y, x)
        Which of the inserted lesions covers each voxel; 0 for none, and for lesions that were there before.
    lesions : tuple of InsertedLesion
        The lesions; empty if no place was found.
    spacing : tuple of float
        Voxel size in mm along (z, y, x) that the lesions were drawn with: the study's own, else an assumption.
    """

    study: Study
    labels: npt.NDArray[np.uint8]
    lesions: tuple[InsertedLesion, ...]
    spacing: tuple[float, float, float]


def insert_metastases(
    study: Study,
    seed: int | Seq[int] = 0,
    config: MetastasisConfig | None = None,
    target: Target = Target.FLAIR_ABNORMALITY,
) -> Insertion:
    """Draw metastases into a head.

    They lie in brain, more often where grey meets white matter than elsewhere, away from outlined lesions and from
    each other, and look on each channel as they should on what it shows: FLAIR where FLAIR stands in for a missing
    sequence. An unknown spacing is taken for 1 mm within the slice, and for what the number of slices with brain on
    them makes likely across.

    Parameters
    ----------
    study : Study
        Axial slices; not changed.
    seed : int or sequence of int
        Not negative. Everything that varies follows from it and from the study's name.
    config : MetastasisConfig, optional
        How many, how large, how bright.
    target : Target
        What the outlines cover, as those that the study has already do.

    Returns
    -------
    Insertion
        The head with its lesions.
    """
    config = config or MetastasisConfig()
    rng = np.random.default_rng([zlib.crc32(study.name.encode()), *np.atleast_1d(seed).tolist()])
    shown = stand_ins(study.voxels, study.sequences)
    brain = map_brain(study.voxels, shown, study.geometry.spacing)
    mask = np.zeros(study.shape, np.uint8) if study.mask is None else study.mask
    places = _Places(brain, mask)
    tissue, white = brain.full(brain.tissue, study.shape), brain.full(brain.white, study.shape)
    voxels, labels = study.voxels, np.zeros(study.shape, np.uint8)
    lesions: list[InsertedLesion] = []
    for spec in random_lesions(rng, config):
        placed = places.choose(rng, spec)
        if placed is None:
            continue
        drawn, outline = draw_lesion(
            voxels,
            np.zeros_like(mask),
            placed,
            spacing=brain.spacing,
            sequences=shown,
            tissue=tissue,
            whiteness=white,
            fluid=True,
            target=target,
        )
        outline[mask > 0] = 0
        slices = np.flatnonzero(outline.any(axis=(1, 2)))
        size = int(np.count_nonzero(outline))
        if size < _FEWEST_VOXELS:
            continue
        voxels = drawn
        lesions.append(InsertedLesion(len(lesions) + 1, placed, size, (int(slices[0]), int(slices[-1]))))
        labels[outline > 0] = len(lesions)
        places.take(placed)
    changed = replace(study, voxels=voxels, mask=(mask | (labels > 0)).astype(np.uint8))
    return Insertion(changed, labels, tuple(lesions), brain.spacing)


def random_lesions(rng: np.random.Generator, config: MetastasisConfig) -> list[LesionSpec]:
    """Lesions still without a place, the largest first, as these find one hardest."""
    count = int(rng.integers(config.count[0], config.count[1] + 1))
    low, high = np.log(config.diameter)
    diameters = np.sort(np.exp(rng.uniform(low, high, count)))[::-1]
    return [_random_lesion(rng, config, float(diameter)) for diameter in diameters]


def _random_lesion(rng: np.random.Generator, config: MetastasisConfig, diameter: float) -> LesionSpec:
    ring = rng.random() < config.ring_share
    bare = rng.random() < config.bare_share
    kind: Kind = "ring" if ring and diameter >= _SMALLEST_RING else "solid"
    least, most = config.oedema
    width = rng.uniform(min(least, diameter), min(most, diameter))
    return LesionSpec(
        kind=kind,
        centre=(0.0, 0.0, 0.0),
        radius=diameter / 2,
        oedema=0.0 if bare else width,
        flair=rng.uniform(*config.flair),
        enhancement=rng.uniform(*config.enhancement),
        irregularity=rng.uniform(*config.irregularity),
        seed=int(rng.integers(2**31)),
    )


class _Places:
    """Where lesions may lie: on the half grid of a :class:`BrainMap`."""

    def __init__(self, brain: BrainMap, mask: npt.NDArray[np.uint8]) -> None:
        self._spacing = np.asarray(brain.spacing)
        areas = brain.tissue.sum(axis=(1, 2))
        allowed = brain.tissue & (areas > _LEAST_BRAIN * max(int(areas.max(initial=0)), 1))[:, None, None]
        self._cells = np.argwhere(allowed)
        cells = tuple(self._cells.T)
        self._depth = brain.depth[cells]
        self._free = _distance_to(mask, brain)[cells]
        self._weight = _junction(brain)[cells]
        self._taken: list[LesionSpec] = []

    def choose(self, rng: np.random.Generator, spec: LesionSpec) -> LesionSpec | None:
        """Put the lesion somewhere, or return ``None`` if there is no room."""
        reach = _reach(spec)
        weight = self._weight * (self._depth > 0.7 * spec.radius) * (self._free > reach + _APART)
        total = weight.cumsum()
        if not len(total) or total[-1] <= 0:
            return None
        for _ in range(_TRIES):
            cell = self._cells[min(int(np.searchsorted(total, rng.random() * total[-1])), len(total) - 1)]
            z, y, x = (cell + rng.random(3)) * (1, 2, 2) - 0.5
            placed = spec.model_copy(update={"centre": (float(z), float(y), float(x))})
            if all(self._apart(placed, other) for other in self._taken):
                return placed
        return None

    def take(self, spec: LesionSpec) -> None:
        """Keep later lesions away from this one."""
        self._taken.append(spec)

    def _apart(self, one: LesionSpec, other: LesionSpec) -> bool:
        """Whether a slice, or some millimetres within the slice, lie between two lesions."""
        between = np.abs(np.subtract(one.centre, other.centre)) * self._spacing
        across = max(float(between[0]) - 2 * float(self._spacing[0]), 0.0)
        return bool(np.hypot(across, np.hypot(*between[1:])) > _reach(one) + _reach(other) + _APART)


def _reach(spec: LesionSpec) -> float:
    """How far from its centre a lesion may be outlined, mm."""
    return 1.3 * spec.radius + 1.2 * spec.oedema


def _distance_to(mask: npt.NDArray[np.uint8], brain: BrainMap) -> Float:
    """Distance in mm to the nearest outlined voxel, on the brain map's grid."""
    _, y, x = brain.tissue.shape
    outlined = mask[:, : 2 * y, : 2 * x].reshape(-1, y, 2, x, 2).any(axis=(2, 4))
    if not outlined.any():
        return np.full(brain.tissue.shape, np.inf, np.float32)
    z, row, column = brain.spacing
    return np.asarray(ndimage.distance_transform_edt(~outlined, sampling=(z, 2 * row, 2 * column)), np.float32)


def _junction(brain: BrainMap) -> Float:
    """How readily a metastasis settles: most where grey meets white matter, some everywhere."""
    near = 4 * brain.white * (1 - brain.white)
    return np.asarray(0.15 + near**2, np.float32)
