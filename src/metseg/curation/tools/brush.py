"""The guided brush: a stroke over a lesion outlines it, a stroke of label 0 takes away what it was drawn over."""

from __future__ import annotations

import math

import cv2
import numpy as np

from metseg.curation.tools.brush_features import (
    Image,
    IntensityStatistics,
    Mask,
    Plane,
    connected,
    depth_of,
    log_odds,
    met,
    pieces_of,
    smoothed,
    squashed_logit,
)
from metseg.curation.tools.change import Box, LabelEdit, Labels, change, nothing
from metseg.curation.tools.eraser import erase
from metseg.curation.tools.growing import Probabilities
from metseg.curation.tools.stroke import Stroke

# Weights of the features in units of log odds, fitted as docs/correction_tools.md tells.
_START = 1.6
_NETWORK = 1.4
_RELATIVE = 0.1
_BRIGHTNESS, _MIDDLE, _STEEPNESS = 2.5, 0.4, 0.9
_UNDER = 9.5
_BEYOND, _SOFTNESS = 0.56, 0.9

#: Beyond so many radii nothing can be part of the stroke's lesion.
_RADII = (_START + _NETWORK + _BRIGHTNESS) / _BEYOND
#: Pixels beyond which a lesion is not followed, however thick the brush.
_FURTHEST = 96
#: Closer to the stroke than this many pixels is neither under it nor away from it.
_GAP = 3.0
#: Bridges thinner than this lead out of a lesion.
_BRIDGE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def guided_brush(
    labels: Labels,
    image: Image,
    probabilities: Probabilities | None,
    stroke: Stroke,
    label: int,
    *,
    redraw: bool = False,
    neighbours: int = 0,
) -> LabelEdit:
    """Outline what a stroke was drawn over, along the probability's contour and the image's edge.

    Each slice that the stroke runs through is outlined by itself. The middle of the stroke (half its radius) is
    always painted; the rest of it, and what lies round it, as far as image, probability and distance speak for it.
    Only background is painted: other lesions keep every voxel.

    With label 0 the stroke erases: in every lesion that it touches it takes away what it was drawn over, as far as
    that differs from the rest of the lesion. A stroke that touches no lesion does nothing.

    Parameters
    ----------
    image : ndarray, shape (z, y, x), any real type
        Where the lesion can be seen, such as FLAIR; it may be brighter or darker than what lies round it.
    probabilities : ndarray of float32 (0 to 1) or uint8 (0 to 255), shape (z, y, x), or None
        What the network gave, if a network was asked.
    stroke : Stroke
        Where the brush went. Empty, or outside the volume: nothing changes.
    label : int
        What to paint with; 0 erases.
    redraw : bool
        Also take away what those pieces of the lesion that the outline meets have beyond it, in the same slice.
        Unless this is asked for, painting takes nothing away.
    neighbours : int
        Up to so many slices on either side are outlined too, each from the slice before it, as long as what is found
        there looks like what the stroke was drawn over. Erasing keeps to the stroke's own slices.

    Raises
    ------
    ValueError
        If the shapes differ, or the label does not fit the type of the labels.
    """
    for other in (image, probabilities):
        if other is not None and other.shape != labels.shape:
            raise ValueError(f"{other.shape} does not fit labels {labels.shape}")
    if not 0 <= label <= np.iinfo(labels.dtype).max:
        raise ValueError(f"label {label} does not fit {labels.dtype}")
    slices = [z for z in stroke.slices() if 0 <= z < len(labels)]
    box = _box(labels, stroke, slices, neighbours if label else 0)
    if box is None:
        return nothing(labels)
    planes = _Planes(image, probabilities, box)
    after = labels[box].copy()
    for z in slices:
        distance = stroke.distance(z, box[1:])
        at = z - box[0].start
        if label:
            _paint(after, planes, at, distance, stroke.radius, label, redraw, neighbours)
        elif (distance <= stroke.radius).any():
            erase(after[at], *planes[at], distance, stroke.radius)
    return change(labels, box, after)


class _Planes:
    """Smoothed image and log odds of the slices of a box, made when they are asked for."""

    def __init__(self, image: Image, probabilities: Probabilities | None, box: Box) -> None:
        self._image = image[box]
        self._probabilities = None if probabilities is None else probabilities[box]

    def __getitem__(self, z: int) -> tuple[Plane, Plane | None]:
        odds = None if self._probabilities is None else log_odds(self._probabilities[z])
        return smoothed(self._image[z]), odds


def _box(labels: Labels, stroke: Stroke, slices: list[int], neighbours: int) -> Box | None:
    if not slices:
        return None
    margin = math.ceil(min(_RADII * (stroke.radius + _SOFTNESS) + stroke.radius, _FURTHEST))
    windows = np.array([stroke.reach(z, margin) for z in slices])
    (y0, _, x0, _), (_, y1, _, x1) = windows.min(axis=0).tolist(), windows.max(axis=0).tolist()
    depth, height, width = labels.shape
    box = (
        slice(max(slices[0] - neighbours, 0), min(slices[-1] + neighbours + 1, depth)),
        slice(max(y0, 0), min(y1, height)),
        slice(max(x0, 0), min(x1, width)),
    )
    return box if all(side.start < side.stop for side in box) else None


def _paint(
    after: Labels,
    planes: _Planes,
    z: int,
    distance: Plane,
    radius: float,
    label: int,
    redraw: bool,
    neighbours: int,
) -> None:
    """Paint slice ``z`` of ``after`` and those next to it."""
    core = distance <= max(radius / 2, 1.0)
    if not core.any():
        return
    image, odds = planes[z]
    statistics = IntensityStatistics.of(image, odds, core, _away(image, odds, distance, radius))
    first = _outline(after[z], image, odds, statistics, distance, radius, core, label)
    _draw(after[z], first, label, redraw)
    for step in (-1, 1):
        outline = first
        for near in range(z + step, z + step * (neighbours + 1), step):
            if not 0 <= near < len(after):
                break
            outline = _followed(after[near], *planes[near], statistics, outline, label)
            if not outline.any():
                break
            _draw(after[near], outline, label, redraw)


def _away(image: Plane, odds: Plane | None, distance: Plane, radius: float) -> Mask:
    """Tissue that is not near the stroke and that the network does not hold for lesion."""
    away = distance > radius + _GAP
    tissue = away & (image > 0.1 * image.max())
    if odds is not None:
        tissue &= odds < 0
    return tissue if np.count_nonzero(tissue) >= 50 else away


def _outline(
    labels: Labels,
    image: Plane,
    odds: Plane | None,
    statistics: IntensityStatistics,
    distance: Plane,
    radius: float,
    core: Mask,
    label: int,
) -> Mask:
    beyond = distance - np.float32(radius)
    score = _START + _BRIGHTNESS * np.tanh(_STEEPNESS * (statistics.likeness(image) - _MIDDLE))
    score += _UNDER / max(radius, 1.0) * np.maximum(-beyond, 0)
    score -= _BEYOND / (radius + _SOFTNESS) * np.maximum(beyond, 0)
    if odds is None:
        score -= _NETWORK
    else:
        score += _NETWORK * squashed_logit(odds) + _RELATIVE * np.minimum(odds - max(statistics.log_odds, -6.0), 0)
    free = (labels == 0) | (labels == label)
    lesion = cv2.morphologyEx(((score > 0) | core).astype(np.uint8), cv2.MORPH_OPEN, _BRIDGE) > 0
    return np.asarray(connected((lesion | core) & free, core) & free)


def _followed(
    labels: Labels, image: Plane, odds: Plane | None, statistics: IntensityStatistics, outline: Mask, label: int
) -> Mask:
    """The outline in a neighbouring slice: its inner half there serves as a stroke."""
    depth = depth_of(outline)
    radius = float(depth.max()) / 2
    core = depth > radius
    alike = statistics.likeness(image) > _MIDDLE
    if odds is not None:
        alike |= odds > 0
    core &= alike
    if 2 * np.count_nonzero(core) < np.count_nonzero(depth > radius):
        return np.zeros_like(outline)
    distance = np.asarray(cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return _outline(labels, image, odds, statistics, distance, max(radius, 1.0), core, label)


def _draw(plane: Labels, outline: Mask, label: int, redraw: bool) -> None:
    if redraw:
        plane[met(pieces_of(plane == label, 8), outline)] = 0
    plane[outline] = label
