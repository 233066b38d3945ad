"""How far two outlines lie apart. Distances are MONAI's (https://monai.io), which runs on torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metseg.metrics import as_lesion

#: Outlines no farther apart than this agree, in pixels.
TOLERANCE = 2.0

_PERCENTILE = 0.95

Mask = npt.NDArray[np.bool_]
Outline = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SurfaceAgreement:
    """Distance and agreement of two masks' outlines, in pixels.

    The slice distance of a study is seldom known, so distances are measured within slices, as a person moves an
    outline, and pooled over the volume. (Through the volume, with a slice counted as a pixel, nearly every voxel of
    a lesion of few slices lies beside the other mask's surface, and hardly any distance exceeds 1.)

    ======================== =================== ============
    masks                    hd95                surface_dice
    ======================== =================== ============
    equal                    0                   1
    both empty               0                   1
    one empty                diagonal of a slice 0
    never on the same slice  diagonal of a slice 0
    ======================== =================== ============

    The diagonal is the largest distance there could be: a patient whose lesion was missed must not drop out of a mean.

    Attributes
    ----------
    hd95 : float
        95th percentile, by length, of the distances from either outline to the other, the larger of both directions
        (Huttenlocher et al. 1993), in the slices that both masks outline.
    surface_dice : float
        Share of the length of both outlines that has the other within :data:`TOLERANCE` pixels (Nikolov et al. 2021,
        doi 10.2196/26151). On a slice that only one mask outlines there is nothing near: missed slices count here.
    """

    hd95: float
    surface_dice: float


def compare_surfaces(reference: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic]) -> SurfaceAgreement:
    """Compare the outlines of two masks.

    Parameters
    ----------
    reference, predicted : ndarray, shape (z, y, x)
        Non-zero inside lesions.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, guess = as_lesion(reference, predicted)
    if not (truth.any() or guess.any()):
        return SurfaceAgreement(0.0, 1.0)
    outlines = list(_outlines(truth, guess))
    total = sum(float(lengths.sum()) for slice_ in outlines for _, lengths in slice_)
    near = sum(float(lengths[distances <= TOLERANCE].sum()) for slice_ in outlines for distances, lengths in slice_)
    shared = [slice_ for slice_ in outlines if len(slice_) == 2]
    if not shared:
        return SurfaceAgreement(math.dist((0, 0), truth.shape[1:]), near / total)
    directions = [[np.concatenate(column) for column in zip(*way, strict=True)] for way in zip(*shared, strict=True)]
    hd95 = max(
        float(np.quantile(distances, _PERCENTILE, weights=lengths, method="inverted_cdf"))
        for distances, lengths in directions
    )
    return SurfaceAgreement(hd95, near / total)


def _outlines(truth: Mask, guess: Mask) -> Iterator[list[Outline]]:
    """For every slice, the outlines that are there: distance to the other one and length of each of their parts."""
    import torch
    from monai.metrics.utils import get_edge_surface_distance

    for z in np.flatnonzero((truth | guess).any(axis=(1, 2))):
        with warnings.catch_warnings():
            # MONAI warns of empty slices, and calls a function of its own in a deprecated way.
            warnings.simplefilter("ignore")
            edges, distances, lengths = get_edge_surface_distance(
                torch.from_numpy(guess[z]),
                torch.from_numpy(truth[z]),
                spacing=(1.0, 1.0),
                use_subvoxels=True,
                symmetric=True,
            )
        yield [
            (distance.numpy(), length[edge].numpy())
            for edge, distance, length in zip(edges, distances, lengths, strict=True)
            if edge.any()
        ]
