"""What can be measured of each lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

#: Up to this many points, all distances are quicker than the convex hull.
_FEW = 64


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion and its size.

    Attributes
    ----------
    id : int
        Its label.
    slices : tuple of int
        First and last slice, counted from 0, both included.
    n_voxels : int
        Number of voxels.
    volume_mm3 : float or None
        Volume; ``None`` if the spacing is not known.
    diameter_px : float
        Longest extent within one slice, in pixels.
    diameter_mm : float or None
        The same in mm; ``None`` if the spacing is not known.
    mean_probability : float or None
        Mean over its voxels of what the network gave; ``None`` without probabilities, as for a hand-drawn lesion.
    centroid : tuple of float
        Mean (z, y, x) of its voxels, in voxels.
    touches_border : bool
        Whether it reaches a face of the volume, so that it may go on beyond it.
    """

    id: int
    slices: tuple[int, int]
    n_voxels: int
    volume_mm3: float | None
    diameter_px: float
    diameter_mm: float | None
    mean_probability: float | None
    centroid: tuple[float, float, float]
    touches_border: bool


def measure(
    labels: npt.NDArray[np.integer],
    *,
    spacing: tuple[float, float, float] | None = None,
    probabilities: npt.NDArray[np.floating] | None = None,
) -> list[Lesion]:
    """Measure every lesion.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        0 outside, one number per lesion, as :func:`label_lesions` gives them; numbers may be missing.
    spacing : tuple of float, optional
        Voxel size in mm along (z, y, x).
    probabilities : ndarray of float, shape (z, y, x), optional
        What the network gave.

    Returns
    -------
    list of Lesion
        In the order of their labels.

    Raises
    ------
    ValueError
        If the shapes differ, or the spacing is not positive.
    """
    if labels.ndim != 3:
        raise ValueError(f"labels must be (z, y, x), not {labels.shape}")
    if probabilities is not None and probabilities.shape != labels.shape:
        raise ValueError(f"probabilities {probabilities.shape} do not fit labels {labels.shape}")
    if spacing is not None and not all(0 < step < np.inf for step in spacing):
        raise ValueError(f"spacing must be positive, not {spacing}")
    return [
        _measure_one(label, box, labels, spacing, probabilities)
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    ]


def _measure_one(
    label: int,
    box: tuple[slice, slice, slice],
    labels: npt.NDArray[np.integer],
    spacing: tuple[float, float, float] | None,
    probabilities: npt.NDArray[np.floating] | None,
) -> Lesion:
    inside = labels[box] == label
    places = np.argwhere(inside)
    z, y, x = places.mean(axis=0) + [side.start for side in box]
    outlines = [_outermost(plane) for plane in inside if plane.any()]
    return Lesion(
        id=label,
        slices=(box[0].start, box[0].stop - 1),
        n_voxels=len(places),
        volume_mm3=None if spacing is None else float(len(places) * np.prod(spacing)),
        diameter_px=_longest(outlines, (1.0, 1.0)),
        diameter_mm=None if spacing is None else _longest(outlines, spacing[1:]),
        mean_probability=None if probabilities is None else float(probabilities[box][inside].mean(dtype=np.float64)),
        centroid=(float(z), float(y), float(x)),
        touches_border=any(side.start == 0 or side.stop == size for side, size in zip(box, labels.shape, strict=True)),
    )


def _longest(outlines: list[npt.NDArray[np.float64]], pixel: tuple[float, float]) -> float:
    """Longest distance within a slice between two points of its outline."""
    return max(float(pdist(points * pixel).max()) for points in outlines)


def _outermost(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Midpoints of pixel edges, (n, 2), the longest distance among them; of a single pixel they are one apart."""
    rows = np.flatnonzero(plane.any(axis=1))
    left = plane[rows].argmax(axis=1)
    right = plane.shape[1] - 1 - plane[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.column_stack([rows, left]), np.column_stack([rows, right])])
    edges = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
    points: npt.NDArray[np.float64] = (ends[:, None] + edges).reshape(-1, 2)
    if len(points) > _FEW:  # in pixels: the hull is the same in mm, but could be too flat to be found
        points = points[ConvexHull(points).vertices]
    return points
