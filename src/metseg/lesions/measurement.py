"""What can be measured of each lesion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.distance import pdist, squareform

from metseg.lesions.laterality import Midline, Side

#: RANO-BM (Lin et al. 2015, doi 10.1016/S1470-2045(15)70057-4): a measurable lesion is at least so long, mm, so wide at
#: right angles to that, is on two slices, and of slices thicker than 5 mm is twice as long as they are thick; of
#: these, at most five are targets.
LEAST_DIAMETER_MM, _LEAST_PERPENDICULAR_MM, _THICK_MM, MOST_TARGETS = 10.0, 5.0, 5.0, 5


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
        The same in mm; ``None`` if the spacing is not known. Of axial slices the longest axial diameter.
    perpendicular_mm : float or None
        Longest extent at right angles to it, in the same slice.
    diameter_slice : int
        That slice, counted from 0.
    slice_spacing_mm : float or None
        Distance of slices, on which volume and diameters depend.
    measurable : bool or None
        Whether it has the size of a measurable lesion by RANO-BM: 10 mm long, 5 mm at right angles to that, on two
        slices; whether it enhances, and whether its border is clear, is for a person.
    side : Side or None
        Of the patient; ``None`` if orientation or image are not known.
    mean_probability : float or None
        Mean over its voxels of what the network gave; ``None`` without probabilities, as for a hand-drawn lesion.
    centroid : tuple of float
        Mean (z, y, x) of its voxels, in voxels.
    touches_border : bool
        Whether it reaches a face of the volume, so that it may go on beyond it.
    surrounding_voxels : int or None
        Of an enhancing lesion: voxels of the FLAIR abnormality around it; ``None`` if that is not known.
    surrounding_mm3 : float or None
        Their volume; ``None`` if the spacing is not known either.
    """

    id: int
    slices: tuple[int, int]
    n_voxels: int
    volume_mm3: float | None
    diameter_px: float
    diameter_mm: float | None
    perpendicular_mm: float | None
    diameter_slice: int
    slice_spacing_mm: float | None
    measurable: bool | None
    side: Side | None
    mean_probability: float | None
    centroid: tuple[float, float, float]
    touches_border: bool
    surrounding_voxels: int | None = None
    surrounding_mm3: float | None = None


def measure(
    labels: npt.NDArray[np.integer],
    *,
    spacing: tuple[float, float, float] | None = None,
    probabilities: npt.NDArray[np.floating] | None = None,
    midline: Midline | None = None,
    surrounding: npt.NDArray[np.integer] | None = None,
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
    midline : Midline, optional
        Of the head, from :func:`find_midline`.
    surrounding : ndarray of int, shape (z, y, x), optional
        Above 0 inside the FLAIR abnormality. What of it is connected with a lesion and not itself inside one counts
        for the nearest lesion.

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
    if surrounding is not None and surrounding.shape != labels.shape:
        raise ValueError(f"surrounding {surrounding.shape} does not fit labels {labels.shape}")
    lesions = [
        _measure_one(label, box, labels, spacing, probabilities, midline)
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    ]
    if surrounding is None or not lesions:
        return lesions
    counts = _count_surrounding(labels, surrounding > 0, spacing)
    size = None if spacing is None else float(np.prod(spacing))
    return [
        replace(
            lesion,
            surrounding_voxels=int(counts[lesion.id]),
            surrounding_mm3=None if size is None else float(counts[lesion.id] * size),
        )
        for lesion in lesions
    ]


def sum_of_target_diameters(lesions: Iterable[Lesion]) -> float | None:
    """Add up the diameters, mm, of the largest five lesions that are measurable by RANO-BM.

    Returns
    -------
    float or None
        0 if none is measurable; ``None`` if the spacing is not known.
    """
    listed = list(lesions)
    known = [lesion.diameter_mm for lesion in listed if lesion.measurable and lesion.diameter_mm is not None]
    if any(lesion.diameter_mm is None for lesion in listed):
        return None
    return float(sum(sorted(known, reverse=True)[:MOST_TARGETS]))


def _count_surrounding(
    labels: npt.NDArray[np.integer], surrounding: npt.NDArray[np.bool_], spacing: tuple[float, float, float] | None
) -> npt.NDArray[np.intp]:
    """By label: voxels of ``surrounding`` outside of all lesions that are nearest to it and connected with a lesion."""
    lesion = labels > 0
    parts, _ = ndimage.label(surrounding | lesion, np.ones((3, 3, 3)))
    around = surrounding & ~lesion & np.isin(parts, np.unique(parts[lesion]))
    nearest = ndimage.distance_transform_edt(~lesion, spacing, return_distances=False, return_indices=True)
    return np.bincount(labels[tuple(nearest[:, around])], minlength=int(labels.max()) + 1)


def _measure_one(
    label: int,
    box: tuple[slice, slice, slice],
    labels: npt.NDArray[np.integer],
    spacing: tuple[float, float, float] | None,
    probabilities: npt.NDArray[np.floating] | None,
    midline: Midline | None,
) -> Lesion:
    inside = labels[box] == label
    places = np.argwhere(inside)
    z, y, x = (float(mean) for mean in places.mean(axis=0) + [side.start for side in box])
    slices = box[0].start, box[0].stop - 1
    hulls = {slices[0] + index: _hull(plane) for index, plane in enumerate(inside) if plane.any()}
    pixel = (1.0, 1.0) if spacing is None else spacing[1:]
    widest, (diameter, perpendicular) = max(
        ((place, _diameters(hull * pixel)) for place, hull in hulls.items()), key=lambda one: one[1]
    )
    return Lesion(
        id=label,
        slices=slices,
        n_voxels=len(places),
        volume_mm3=None if spacing is None else float(len(places) * np.prod(spacing)),
        diameter_px=diameter if spacing is None else max(float(pdist(hull).max()) for hull in hulls.values()),
        diameter_mm=None if spacing is None else diameter,
        perpendicular_mm=None if spacing is None else perpendicular,
        diameter_slice=widest,
        slice_spacing_mm=None if spacing is None else spacing[0],
        measurable=None if spacing is None else _is_measurable(diameter, perpendicular, len(hulls), spacing[0]),
        side=None if midline is None else midline.side_of((z, y, x)),
        mean_probability=None if probabilities is None else float(probabilities[box][inside].mean(dtype=np.float64)),
        centroid=(z, y, x),
        touches_border=any(side.start == 0 or side.stop == size for side, size in zip(box, labels.shape, strict=True)),
    )


def _is_measurable(diameter: float, perpendicular: float, slices: int, step: float) -> bool:
    """Whether a lesion has the size that RANO-BM asks for, lengths in mm."""
    least = max(LEAST_DIAMETER_MM, 2 * step if step > _THICK_MM else 0.0)
    return diameter >= least and perpendicular >= _LEAST_PERPENDICULAR_MM and slices > 1


def _diameters(hull: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The longest distance between two corners (n, 2) of a convex outline, and the longest chord at right angles."""
    distances = squareform(pdist(hull))
    first, second = np.unravel_index(int(distances.argmax()), distances.shape)
    longest = float(distances[first, second])
    along = (hull[second] - hull[first]) / longest
    u, v = hull @ along, hull @ np.array([-along[1], along[0]])
    after = np.roll(u, -1)
    low, high = np.minimum(u, after), np.maximum(u, after)
    spans = (u[:, None] >= low) & (u[:, None] <= high) & (high > low)
    part = (u[:, None] - u) / np.where(high > low, after - u, 1.0)
    edges = v + part * (np.roll(v, -1) - v)
    top, bottom = np.where(spans, edges, -np.inf).max(axis=1), np.where(spans, edges, np.inf).min(axis=1)
    return longest, float((top - bottom).max())


def _hull(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Corners (n, 2), in order, of the convex outline of the midpoints of pixel edges; a single pixel is one wide."""
    rows = np.flatnonzero(plane.any(axis=1))
    left = plane[rows].argmax(axis=1)
    right = plane.shape[1] - 1 - plane[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.column_stack([rows, left]), np.column_stack([rows, right])])
    edges = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
    points = (ends[:, None] + edges).reshape(-1, 2)
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float64)
