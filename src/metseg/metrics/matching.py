"""Lesion-wise agreement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy import ndimage

from metseg.metrics.overlap import as_lesion, ratio

#: Reference lesions of fewer voxels are not counted (nor are predictions there held against the network).
SMALLEST_LESION = 2
#: Where one class of sizes ends and the next begins, equivalent diameter in pixels.
SIZE_EDGES = (5.0, 10.0, 20.0, 40.0)

_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True)
class LesionMatch:
    """Counts of lesions.

    Attributes
    ----------
    reference : int
        True lesions.
    found : int
        Those of them that were found.
    false : int
        Predicted lesions that are none.
    """

    reference: int
    found: int
    false: int

    @property
    def sensitivity(self) -> float:
        """Share of the true lesions that were found; ``nan`` if there are none."""
        return ratio(self.found, self.reference)


class SizeClass(BaseModel):
    """Counts of lesions of one class of sizes.

    Attributes
    ----------
    smallest, largest : float or None
        Equivalent diameter in pixels, ``smallest <= diameter < largest``; ``None`` where there is no bound.
    reference, found : int
        True lesions of this size, and those of them that were found.
    false : int
        Predicted lesions of this size that are none.
    """

    model_config = ConfigDict(frozen=True)

    smallest: float | None
    largest: float | None
    reference: int
    found: int
    false: int

    @property
    def sensitivity(self) -> float:
        """Share of the true lesions that were found; ``nan`` if there are none."""
        return ratio(self.found, self.reference)


def match_lesions(reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> LesionMatch:
    """Match predicted lesions to true ones, as the BraTS-METS 2023 challenge does.

    Lesions are 26-connected components; the true mask is dilated by one voxel first, so that fragments a voxel
    apart are one lesion. A true lesion is found if any predicted voxel lies in its dilated shape; a predicted
    component that touches no dilated true lesion is false. True lesions of fewer than two voxels are left out.

    Parameters
    ----------
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    matched = _match(*as_lesion(reference, predicted))
    return LesionMatch(
        int(matched.counted.sum()), int((matched.found & matched.counted).sum()), int(matched.false.sum())
    )


def match_by_size(
    reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic], edges: Sequence[float] = SIZE_EDGES
) -> tuple[SizeClass, ...]:
    """Match lesions as :func:`match_lesions` does, and count them by size.

    The size of a lesion is the diameter of the circle with the area of its largest cross-section, in pixels: it needs
    no slice distance. That of a true lesion is measured on its undilated voxels.

    Parameters
    ----------
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.
    edges : sequence of float
        Rising bounds between the classes, in pixels.

    Returns
    -------
    tuple of SizeClass, length ``len(edges) + 1``
        Smallest first; empty masks give classes without lesions.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, guess = as_lesion(reference, predicted)
    matched = _match(truth, guess)
    size = np.digitize(_diameters(np.where(truth, matched.lesions, 0), len(matched.counted)), edges)
    false_size = np.digitize(_diameters(matched.components, len(matched.false)), edges)
    bounds = [None, *edges, None]
    return tuple(
        SizeClass(
            smallest=bounds[index],
            largest=bounds[index + 1],
            reference=int((matched.counted & (size == index)).sum()),
            found=int((matched.found & matched.counted & (size == index)).sum()),
            false=int((matched.false & (false_size == index)).sum()),
        )
        for index in range(len(edges) + 1)
    )


def pool_sizes(patients: Iterable[Sequence[SizeClass]]) -> tuple[SizeClass, ...]:
    """Add up the counts of many patients, class by class.

    Raises
    ------
    ValueError
        If the classes of two patients differ.
    """
    pooled: list[SizeClass] = []
    for classes in zip(*patients, strict=True):
        if len({(row.smallest, row.largest) for row in classes}) > 1:
            raise ValueError("the patients' size classes differ")
        counts = {key: sum(getattr(row, key) for row in classes) for key in ("reference", "found", "false")}
        pooled.append(classes[0].model_copy(update=counts))
    return tuple(pooled)


@dataclass(frozen=True, eq=False, slots=True)
class _Matched:
    """Dilated true lesions and predicted components by label, and what is so of label 1, 2, …."""

    lesions: npt.NDArray[np.int32]
    components: npt.NDArray[np.int32]
    counted: npt.NDArray[np.bool_]
    found: npt.NDArray[np.bool_]
    false: npt.NDArray[np.bool_]


def _match(truth: npt.NDArray[np.bool_], guess: npt.NDArray[np.bool_]) -> _Matched:
    dilated, lesions = ndimage.label(ndimage.binary_dilation(truth, _TOUCHING), _TOUCHING)
    components, number = ndimage.label(guess, _TOUCHING)
    false = np.ones(number, bool)
    false[np.unique(components[guess & (dilated > 0)]) - 1] = False
    return _Matched(
        lesions=dilated,
        components=components,
        counted=np.bincount(dilated[truth], minlength=lesions + 1)[1:] >= SMALLEST_LESION,
        found=np.bincount(dilated[guess], minlength=lesions + 1)[1:] > 0,
        false=false,
    )


def _diameters(labels: npt.NDArray[np.int32], number: int) -> npt.NDArray[np.float64]:
    """Equivalent diameter of the largest cross-section of label 1 … ``number``, in pixels."""
    areas = np.array([np.bincount(plane.ravel(), minlength=number + 1)[1:] for plane in labels])
    return np.asarray(2 * np.sqrt(areas.max(axis=0, initial=0) / math.pi))
