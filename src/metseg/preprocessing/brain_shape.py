"""What a brain looks like as a shape: is a scan skull-stripped, which way round is it, is an extraction believable."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.preprocessing.resampling import resample

Mask = npt.NDArray[np.bool_]
Flips = tuple[bool, bool, bool]

#: Stacks of fewer slices are not a volume: they are stretched in plane only.
MIN_VOLUME_SLICES = 8

#: A stripped scan has this share of all that differs from its background in one piece.
_ONE_PIECE = 0.995

#: Smallest and largest share of the volume that the brain of a stripped scan takes.
_STRIPPED_SHARE = (0.02, 0.78)

#: Voxels darker than this share of the median are skull and air in a head; a stripped brain has few (3 to 6 %).
_DARK, _DARK_SHARE = 0.3, 0.15

#: A stripped scan is at least so much like the mean brain one way round (the least of 93 scans: 0.87).
_BRAIN_LIKE = 0.75

#: Above this share of the window from the 1st to the 99.5th percentile a voxel counts as head.
_HEAD = 0.1

#: A brain is turned round only if it then resembles the mean brain by so much more (the least of 93 scans: 0.086).
_CLEARLY = 0.03

#: Rows from front to back, slices feet first: how a stack of slices is shown, so that it is turned round in y.
USUAL_FLIPS = (False, True, False)

#: Share of the head, millilitres, and share of the in-plane border of the picture that a brain may take.
_BRAIN_SHARE = (0.08, 0.85)
_MILLILITRES = (150.0, 2500.0)
_BORDER_SHARE = 0.15

#: What was extracted is at least so much like the mean brain one way round (the least of 85 heads: 0.87).
_EXTRACTED_LIKE = 0.6


def stripped_brain(volume: npt.NDArray[Any]) -> Mask | None:
    """The brain of a scan that is skull-stripped, shape (z, y, x); ``None`` if it is a head.

    Stripped means: all that differs from the constant background is one piece, of the shape of a brain, without the
    dark shell that skull and air are. Of a single slice, or of a few, the shape is not known.
    """
    background = volume.flat[0]
    corners = volume[np.ix_([0, -1], [0, -1], [0, -1])]
    inside = volume != background
    share = inside.mean()
    if (corners != background).any() or not _STRIPPED_SHARE[0] < share < _STRIPPED_SHARE[1]:
        return None
    piece = _largest_piece(inside)
    if piece.sum() < _ONE_PIECE * inside.sum():
        return None
    brain = _filled(piece)
    values = volume[brain].astype(np.float32)
    values -= min(float(background), float(values.min()))
    if (values < _DARK * np.median(values)).mean() > _DARK_SHARE:
        return None
    if len(volume) >= MIN_VOLUME_SLICES and max(likeness(brain).values()) < _BRAIN_LIKE:
        return None
    return np.asarray(brain | inside)


def head_voxels(volume: npt.NDArray[Any]) -> Mask:
    """The head without the air around it, shape (z, y, x); all voxels if nothing stands out."""
    low, high = np.percentile(volume, (1.0, 99.5))
    bright = volume > low + _HEAD * (high - low)
    opened = ndimage.binary_opening(bright, np.ones((1, 3, 3)))
    head = _filled(_largest_piece(opened)) if opened.any() else opened
    return head if head.any() else np.ones(volume.shape, np.bool_)


def extraction_problem(brain: Mask, head: Mask, spacing: tuple[float, float, float] | None) -> str:
    """Why ``brain`` cannot be the brain of ``head``; empty if it can.

    Parameters
    ----------
    brain, head : ndarray of bool, shape (z, y, x)
        From the extraction, and from :func:`head_voxels`.
    spacing : tuple of float or None
        In mm along (z, y, x), if known.
    """
    if not brain.any():
        return "it is empty"
    share = (brain & head).sum() / head.sum()
    if share < _BRAIN_SHARE[0]:
        return f"it is only {share:.0%} of the head"
    if share > _BRAIN_SHARE[1]:
        return f"it is {share:.0%} of the head"
    if spacing is not None:
        millilitres = float(brain.sum() * np.prod(spacing) / 1000)
        if not _MILLILITRES[0] <= millilitres <= _MILLILITRES[1]:
            return f"it has {millilitres:.0f} ml"
    border = np.concatenate([brain[:, [0, -1]].ravel(), brain[:, :, [0, -1]].ravel()])
    if border.mean() > _BORDER_SHARE:
        return "it reaches the border of the picture"
    if max(likeness(brain).values()) < _EXTRACTED_LIKE:
        return "it has not the shape of a brain"
    return ""


def likely_flips(brain: Mask) -> Flips:
    """Which of the axes (z, y, x) of a brain run from head to feet or from front to back.

    Turned round along these the brain has its feet first and its back in row 0, as the grid wants it. Left and
    right are too much alike to be told apart, and stay. In doubt it is :data:`USUAL_FLIPS`.
    """
    alike = likeness(brain)
    best = max(alike, key=alike.__getitem__)
    return best if alike[best] - alike[USUAL_FLIPS] > _CLEARLY else USUAL_FLIPS


def likeness(brain: Mask) -> dict[Flips, float]:
    """How much a brain turned round along each of these axes is like the mean brain, as a correlation.

    Parameters
    ----------
    brain : ndarray of bool, shape (z, y, x)
        Its bounding box is compared; without any voxel the correlations are -1.
    """
    mean = _mean_brain()
    box = ndimage.find_objects(brain.astype(np.uint8))
    shape = resample(brain[box[0]].astype(np.float32), mean.shape) if box else np.zeros_like(mean)
    return {
        (z, y, False): _correlation(shape[:: -1 if z else 1, :: -1 if y else 1], mean)
        for z, y in product((False, True), repeat=2)
    }


@cache
def _mean_brain() -> npt.NDArray[np.float32]:
    """Share of 93 skull-stripped scans (BCBM-RadioGenomics, CC BY 4.0) that have brain there, in its bounding box."""
    with files(__package__).joinpath("mean_brain.npy").open("rb") as file:
        return np.asarray(np.load(file) / np.float32(255), np.float32)


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() > 0 else -1.0


def _largest_piece(mask: Mask) -> Mask:
    labels, _ = ndimage.label(mask)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return np.asarray(labels == counts.argmax()) if counts.any() else mask


def _filled(mask: Mask) -> Mask:
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
