"""Which lesions were found, how well each was outlined, and which predicted ones are none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from scipy import ndimage
from scipy.spatial import KDTree

from metseg.metrics.overlap import as_lesion
from metseg.metrics.statistics import Score

#: True lesions of fewer voxels are left out: neither counted, nor is a prediction there held against the network.
SMALLEST_LESION = 5
#: HD95 of a lesion that was missed or is none, in mm or voxels: what BraTS-METS 2023 sets, whose voxels measure 1 mm.
HD95_PENALTY = 374.0

Spacing = tuple[float, float, float]
Labels = npt.NDArray[np.int32]

_TOUCHING = np.ones((3, 3, 3), bool)
_ONE_VOXEL = ndimage.generate_binary_structure(3, 2)


class LesionSize(BaseModel, frozen=True):
    """How large a lesion is.

    Attributes
    ----------
    voxels : int
        Its voxels.
    diameter_mm : float or None
        Diameter of the sphere of its volume; ``None`` where the spacing is unknown.
    """

    voxels: int
    diameter_mm: float | None


class LesionScore(LesionSize):
    """What became of a true lesion.

    Attributes
    ----------
    found : bool
        Whether any predicted voxel lies in it.
    group : int
        Lesions that touch once all are dilated by one voxel are scored as one: they share this number.
    dice : float
        Of the group and all predicted components that touch it dilated by one voxel; 0 if none does.
    hd95 : float
        95th percentile of the distances between both surfaces, the larger direction; :data:`HD95_PENALTY` if no
        component touches.
    """

    found: bool
    group: int
    dice: Score
    hd95: Score


class FalsePositive(LesionSize):
    """A predicted component that overlaps no true lesion of any size.

    Attributes
    ----------
    beside : bool
        Whether it touches a true lesion dilated by one voxel, so that it is part of that lesion's ``dice``.
    """

    beside: bool


@dataclass(frozen=True, eq=False, slots=True)
class LesionMatch:
    """Lesions and predicted components by label, and what is so of label 1, 2, ….

    Attributes
    ----------
    lesions, components : ndarray of int32
        26-connected components of both masks.
    voxels, component_voxels : ndarray of int
        Size of each.
    found : ndarray of bool
        Lesions that any predicted voxel overlaps.
    false : ndarray of bool
        Components that overlap no lesion.
    """

    lesions: Labels
    components: Labels
    voxels: npt.NDArray[np.int64]
    component_voxels: npt.NDArray[np.int64]
    found: npt.NDArray[np.bool_]
    false: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, lesions: Labels, components: Labels, min_lesion_voxels: int = 0) -> LesionMatch:
        """Match labelled lesions with labelled components, leaving aside those of too few voxels."""
        voxels, component_voxels = (np.bincount(labels.ravel())[1:] for labels in (lesions, components))
        kept = component_voxels >= min_lesion_voxels
        common = (lesions > 0) & (components > 0)
        found, false = np.zeros(len(voxels), bool), kept.copy()
        found[lesions[common][kept[components[common] - 1]] - 1] = True
        false[components[common] - 1] = False
        return cls(lesions, components, voxels, component_voxels, found, false)

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """Lesions of at least :data:`SMALLEST_LESION` voxels."""
        return self.voxels >= SMALLEST_LESION


def label_components(mask: npt.NDArray[np.generic]) -> Labels:
    """Number the 26-connected components of a mask."""
    return np.asarray(ndimage.label(mask, _TOUCHING)[0], np.int32)


def match_lesions(reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> LesionMatch:
    """Match the 26-connected components of two masks, without dilation.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, guess = as_lesion(reference, predicted)
    return LesionMatch.of(label_components(truth), label_components(guess))


def score_lesions(
    match: LesionMatch, spacing: Spacing | None = None
) -> tuple[tuple[LesionScore, ...], tuple[FalsePositive, ...]]:
    """Score every true lesion of at least :data:`SMALLEST_LESION` voxels, and list the predicted ones that are none.

    Finding needs overlap. Dice and surface distance follow BraTS-METS 2023 (Moawad et al., arXiv 2306.00838) and the
    metrics published with it (github.com/rachitsaluja/BraTS-2023-Metrics): true lesions dilated by one voxel
    (18-neighbourhood) say which true ones belong together and which predicted ones belong to them. Two things differ:
    the challenge leaves out lesions of up to 2 mm³, and weights distances by surface area. Surfaces are the voxels with
    a face to the outside. (MONAI and ``surface-distance`` need torch or measure whole scans only, ``panoptica`` has
    other rules of matching.)

    Parameters
    ----------
    match : LesionMatch
        See :func:`match_lesions`.
    spacing : tuple of float, optional
        mm along (z, y, x); without it distances are in voxels.
    """
    truth, guess = match.lesions > 0, match.components > 0
    dilated = label_components(ndimage.binary_dilation(truth, _ONE_VOXEL))
    group_of = np.zeros(len(match.voxels), int)
    group_of[match.lesions[truth] - 1] = dilated[truth]
    near = guess & (dilated > 0)
    pairs = np.unique(np.stack([dilated[near], match.components[near]]), axis=1)
    outlined = {
        group: _outline_score(match, dilated, int(group), pairs[1, pairs[0] == group], spacing)
        for group in np.unique(group_of[match.counted])
    }
    lesions = tuple(
        LesionScore(
            voxels=match.voxels[index],
            diameter_mm=_diameter(match.voxels[index], spacing),
            found=bool(match.found[index]),
            group=int(group_of[index]),
            dice=outlined[group_of[index]][0],
            hd95=outlined[group_of[index]][1],
        )
        for index in np.flatnonzero(match.counted)
    )
    beside = set((pairs[1] - 1).tolist())
    false = tuple(
        FalsePositive(
            voxels=match.component_voxels[index],
            diameter_mm=_diameter(match.component_voxels[index], spacing),
            beside=index in beside,
        )
        for index in np.flatnonzero(match.false).tolist()
    )
    return lesions, false


def _outline_score(
    match: LesionMatch, groups: Labels, group: int, touching: npt.NDArray[np.int32], spacing: Spacing | None
) -> tuple[float, float]:
    """Dice and HD95 of one group of lesions and the components that touch it."""
    if not len(touching):
        return 0.0, HD95_PENALTY
    truth = (groups == group) & (match.lesions > 0)
    guess = np.isin(match.components, touching)
    (box,) = ndimage.find_objects((truth | guess).astype(np.int8))
    truth, guess = truth[box], guess[box]
    dice = 2 * np.count_nonzero(truth & guess) / (np.count_nonzero(truth) + np.count_nonzero(guess))
    scale = np.asarray(spacing or (1.0, 1.0, 1.0))
    one, other = (np.argwhere(mask & ~ndimage.binary_erosion(mask)) * scale for mask in (truth, guess))
    ways = (KDTree(there).query(here)[0] for here, there in ((one, other), (other, one)))
    return dice, max(float(np.quantile(distances, 0.95)) for distances in ways)


def _diameter(voxels: int, spacing: Spacing | None) -> float | None:
    return None if spacing is None else 2 * (3 * int(voxels) * math.prod(spacing) / (4 * math.pi)) ** (1 / 3)
