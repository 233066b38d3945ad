"""The guided brush with label 0: a stroke takes away what it was drawn over, up to the edge."""

from __future__ import annotations

import numpy as np

from metseg.curation.tools.brush_features import (
    IntensityStatistics,
    Mask,
    Plane,
    connected,
    depth_of,
    met,
    pieces_of,
    squashed_logit,
)
from metseg.curation.tools.change import Labels

# Weights of the features for being erased, in units of log odds, fitted as docs/correction_tools.md tells.
_START = 1.2
_NETWORK = 0.3
_RELATIVE = 0.2
_BRIGHTNESS, _MIDDLE, _STEEPNESS = 0.8, 0.6, 1.0
_BEYOND, _SOFTNESS = 1.05, 0.3
_DEPTH = 0.05
#: What remains is a crumb if it was nowhere deeper in the lesion than so many radii of the stroke (the first number if
#: most of the lesion was erased, else the second), and nowhere further from its path than this many.
_CRUMB, _CRUMB_OF_MUCH, _NEAR = 1.6, 0.7, 4.0

#: Closer to the stroke than this many pixels is neither under it nor away from it.
_GAP = 2.0


def erase(labels: Labels, image: Plane, odds: Plane | None, distance: Plane, radius: float) -> None:
    """Erase in one slice, in place.

    All that lies under the stroke goes. Round it goes what differs from the rest of the lesion as the place of the
    stroke does, in brightness and probability, and what would be left as a crumb.

    Parameters
    ----------
    labels : ndarray of uint16, shape (y, x)
        0 outside, else the lesion's label.
    image, odds : ndarray of float32, shape (y, x)
        As ``smoothed`` and ``log_odds`` of :mod:`metseg.curation.tools.brush_features` give them.
    distance : ndarray of float32, shape (y, x)
        Pixels to the stroke's path.
    radius : float
        Of the brush, in pixels.
    """
    under = distance <= radius
    for label in np.unique(labels[under & (labels > 0)]):
        pieces = pieces_of(labels == label, 8)
        for piece in np.unique(pieces[under & (pieces > 0)]):
            lesion = pieces == piece
            labels[lesion & ~_kept(lesion, under, image, odds, distance, radius)] = 0


def _kept(lesion: Mask, under: Mask, image: Plane, odds: Plane | None, distance: Plane, radius: float) -> Mask:
    core = lesion & under
    rest = lesion & (distance > radius + _GAP)
    if not rest.any():
        return np.zeros_like(lesion)
    statistics = IntensityStatistics.of(image, odds, core, rest)
    depth = depth_of(lesion)
    score = _START + _BRIGHTNESS * np.tanh(_STEEPNESS * (statistics.likeness(image) - _MIDDLE))
    score -= _BEYOND / (radius + _SOFTNESS) * np.maximum(distance - np.float32(radius), 0)
    score -= _DEPTH * np.maximum(depth - np.float32(radius), 0)
    if odds is None:
        score += _NETWORK
    else:
        score -= _NETWORK * squashed_logit(odds)
        elsewhere = float(np.median(odds[rest]))
        if elsewhere > statistics.log_odds:
            score -= _RELATIVE * (odds - (elsewhere + statistics.log_odds) / 2)
    kept = lesion & ~(connected(((score > 0) | core) & lesion, core) & lesion)
    mostly_gone = 2 * np.count_nonzero(kept) < np.count_nonzero(lesion)
    crumb = radius * (_CRUMB if mostly_gone else _CRUMB_OF_MUCH)
    return met(pieces_of(kept, 8), kept & ((depth >= crumb) | (distance > _NEAR * radius)))
