"""Fill the slices between two that were corrected."""

from __future__ import annotations

import math
from collections.abc import Collection

import cv2
import numpy as np
import numpy.typing as npt

from metseg.curation.tools.brush_features import log_odds, squashed_logit
from metseg.curation.tools.change import LabelEdit, Labels, ToolError, bounding_box, change, nothing, widened
from metseg.curation.tools.growing import Probabilities

#: How far a confident network may move the edge, as a part of the lesion's width (the square root of both ends' area).
_NETWORK = 0.15


def interpolate(
    labels: Labels, label: int, first: int, last: int, probabilities: Probabilities | None = None
) -> LabelEdit:
    """Redraw a lesion in the slices between two, from its outlines in those two.

    What the lesion had in between is replaced; other lesions keep their voxels.

    Parameters
    ----------
    first, last : int
        The two slices, in either order; they are not changed. If there is none between them, nothing changes.
    probabilities : ndarray of float32 (0 to 1) or uint8 (0 to 255), shape (z, y, x), optional
        What the network gave: it then has a say in where the edge lies. Without it only the two outlines count.

    Raises
    ------
    ToolError
        If the lesion is not in both slices, or one of them is not in the volume.

    Notes
    -----
    Shape-based interpolation: the signed distances to both outlines are blended linearly (Raya & Udupa 1990), after
    both were moved to the centre that lies as far along, so that a lesion which wanders does not vanish on the way.
    The distance between slices plays no part.
    """
    first, last = sorted((first, last))
    ends = [_outline(labels, label, z) for z in (first, last)]
    if last - first < 2:
        return nothing(labels)
    reach = math.ceil(_push(*ends)) if probabilities is not None else 0
    old = (labels[first + 1 : last] == label).any(axis=0)
    inner = bounding_box(np.stack([*ends, old]))
    assert inner is not None  # noqa: S101 - both ends hold the lesion
    _, rows, columns = widened(inner, (0, reach, reach), (3, *labels.shape[1:]))
    box = slice(first + 1, last), rows, columns
    after = labels[box].copy()
    after[after == label] = 0
    masks = [outline[rows, columns] for outline in ends]
    centres = [np.argwhere(mask).mean(axis=0) for mask in masks]
    apart = math.ceil(np.abs(centres[0] - centres[1]).max())
    start, end = (_Shape(mask, centre, apart) for mask, centre in zip(masks, centres, strict=True))
    for i, plane in enumerate(after):
        inside = _blend(start, end, (i + 1) / (last - first))
        if probabilities is not None:
            inside += np.float32(_push(*ends)) * squashed_logit(log_odds(probabilities[box][i]))
        plane[(inside > 0) & (plane == 0)] = label
    return change(labels, box, after)


def slices_round(shown: int, present: Collection[int], drawn: Collection[int]) -> tuple[int, int]:
    """The two slices to interpolate between.

    Parameters
    ----------
    shown : int
        Slice on screen, which is to be filled.
    present : collection of int
        Slices that the lesion is in.
    drawn : collection of int
        Slices in which it was drawn by a person, see :func:`metseg.curation.drawn_slices`.

    Returns
    -------
    tuple of int
        The nearest drawn slices before and after; where none was drawn and the lesion is not on screen, the nearest
        that it is in.

    Raises
    ------
    ToolError
        If there are no such two.
    """
    ends = []
    for side, before in (("before", True), ("after", False)):
        known = [z for z in set(present) & set(drawn) if (z < shown if before else z > shown)]
        if not known and shown not in present:
            known = [z for z in present if (z < shown if before else z > shown)]
        if not known:
            raise ToolError(f"draw or correct the lesion in a slice {side} this one first")
        ends.append(max(known) if before else min(known))
    return ends[0], ends[1]


class _Shape:
    """An outline as signed distance (positive inside), that far beyond its plane too, and centre."""

    def __init__(self, mask: npt.NDArray[np.bool_], centre: npt.NDArray[np.float64], beyond: int) -> None:
        padded = np.pad(mask, beyond + 1).astype(np.uint8)
        inside, outside = (
            cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (padded, 1 - padded)
        )
        self.distance = np.where(padded, inside - 0.5, 0.5 - outside).astype(np.float32)
        self._plane = slice(beyond + 1, -beyond - 1)
        self.centre = centre

    def centred_on(self, place: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """The signed distance in the plane, moved by no more than ``beyond``."""
        dy, dx = place - self.centre
        moved = cv2.warpAffine(
            self.distance,
            np.array([[1, 0, dx], [0, 1, dy]], np.float64),
            self.distance.shape[::-1],
        )
        return np.asarray(moved[self._plane, self._plane], np.float32)


def _blend(first: _Shape, last: _Shape, share: float) -> npt.NDArray[np.float32]:
    centre = (1 - share) * first.centre + share * last.centre
    return np.asarray((1 - share) * first.centred_on(centre) + share * last.centred_on(centre), np.float32)


def _push(first: npt.NDArray[np.bool_], last: npt.NDArray[np.bool_]) -> float:
    """Pixels by which a confident network may move the edge."""
    return _NETWORK * math.sqrt(np.count_nonzero(first) + np.count_nonzero(last))


def _outline(labels: Labels, label: int, z: int) -> npt.NDArray[np.bool_]:
    if not 0 <= z < len(labels):
        raise ToolError(f"there is no slice of index {z}; the volume has {len(labels)} slices")
    outline = labels[z] == label
    if label < 1 or not outline.any():
        raise ToolError(f"lesion {label} is not in both slices; outline it there first")
    return np.asarray(outline)
