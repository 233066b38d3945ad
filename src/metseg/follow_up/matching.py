"""Which lesions of two examinations are the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = npt.NDArray[np.integer]

#: How far apart, mm, two lesions that overlap no other may be and still be the same: registration is not exact.
TOLERANCE_MM = 3.0


@dataclass(frozen=True, slots=True)
class Group:
    """What is one lesion at one of the times: its numbers before and after; one of them may be empty."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def event(self) -> str:
        """``split``, ``merged``, both, or nothing."""
        return " and ".join(["merged"] * (len(self.before) > 1) + ["split"] * (len(self.after) > 1))


def match_lesions(
    before: Labels, after: Labels, spacing: tuple[float, float, float], *, tolerance: float = TOLERANCE_MM
) -> list[Group]:
    """Match lesions of two examinations on one grid.

    Lesions that overlap are the same: one to one, or one that split, or several that merged. Of those that overlap
    none, the two nearest are the same if their borders are not farther apart than the tolerance.

    Parameters
    ----------
    before, after : ndarray of int, shape (z, y, x)
        0 outside, a number for each lesion; those from before have been registered.
    spacing : (z, y, x)
        Size of a voxel, mm.
    tolerance : float
        In mm.

    Returns
    -------
    list of Group
        Each lesion is in one of them; those from before in their order, then the new ones.
    """
    earlier, later = (np.unique(labels[labels > 0]).tolist() for labels in (before, after))
    both = (before > 0) & (after > 0)
    edges: set[tuple[int, int]] = set(zip(before[both].tolist(), after[both].tolist(), strict=True))
    single = set(earlier) - {one for one, _ in edges}, set(later) - {other for _, other in edges}
    edges |= _nearest(before, after, spacing, tolerance, *single)
    nodes = {("before", one): place for place, one in enumerate(earlier)}
    nodes |= {("after", one): len(earlier) + place for place, one in enumerate(later)}
    rows = [nodes["before", one] for one, _ in edges]
    columns = [nodes["after", other] for _, other in edges]
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(nodes), len(nodes)))
    count, part = connected_components(graph, directed=False)
    groups = [
        Group(
            tuple(one for one in earlier if part[nodes["before", one]] == index),
            tuple(one for one in later if part[nodes["after", one]] == index),
        )
        for index in range(count)
    ]
    return sorted(groups, key=lambda group: (not group.before, group.before, group.after))


def _nearest(
    before: Labels,
    after: Labels,
    spacing: tuple[float, float, float],
    tolerance: float,
    earlier: set[int],
    later: set[int],
) -> set[tuple[int, int]]:
    """Pairs of lesions without overlap that are within the tolerance, the nearest first, each in one pair."""
    distances: list[tuple[float, int, int]] = []
    for one in earlier if later else ():
        apart = ndimage.distance_transform_edt(before != one, sampling=spacing)
        distances += [(float(apart[after == other].min()), one, other) for other in later]
    pairs: set[tuple[int, int]] = set()
    for distance, one, other in sorted(distances):
        if distance <= tolerance and not any(one == a or other == b for a, b in pairs):
            pairs.add((one, other))
    return pairs
