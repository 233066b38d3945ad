"""Whole lesions: split, separate, merge, delete, relabel, copy to a slice; a change within a range of intensities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.curation.tools.change import (
    LabelEdit,
    Labels,
    ToolError,
    bounding_box,
    change,
    free_label,
    lesion_box,
    nothing,
)

_TOUCHING = np.ones((3, 3, 3), bool)

Voxel = tuple[int, int, int]
Spacing = tuple[float, float, float]


def split(
    labels: Labels, label: int, first: Voxel, second: Voxel, *, new: int | None = None, spacing: Spacing | None = None
) -> LabelEdit:
    """Cut a lesion in two at its narrowest place between two voxels.

    Parameters
    ----------
    first, second : tuple of int
        One voxel (z, y, x) in each of the halves to be. The half of ``first`` keeps ``label``.
    new : int, optional
        Label of the other half; one above all others unless given.
    spacing : tuple of float, optional
        Voxel size along (z, y, x); what is narrow depends on it. Cubes unless given.

    Raises
    ------
    ToolError
        If the voxels are not two voxels of this lesion, or ``new`` is in use.

    Notes
    -----
    The distance to the lesion's surface is climbed from both voxels; what lies deeper than the deepest pass between
    the two summits makes the halves' cores (as in a watershed of that distance, Vincent & Soille 1991), and the rest
    goes with the nearer core. Without a pass, as in a ball, the two voxels themselves are the cores.
    """
    first, second = _inside(labels, label, first), _inside(labels, label, second)
    if first == second:
        raise ToolError("the two places to split between are the same voxel")
    new = _unused(labels, new)
    box = lesion_box(labels, label)
    lesion = labels[box] == label
    origin = np.array([side.start for side in box])
    seeds = np.array([first, second]) - origin
    nearer = _basins(lesion, seeds, np.array(spacing or (1.0, 1.0, 1.0)))
    after = labels[box].copy()
    after[lesion & (nearer == 2)] = new
    return change(labels, box, after)


def separate(labels: Labels, label: int | None = None, *, new: int | None = None) -> LabelEdit:
    """Give every connected piece of a lesion its own label; the largest keeps the old one.

    Parameters
    ----------
    label : int, optional
        The lesion; all lesions unless given.
    new : int, optional
        First of the labels to give; from one above all others unless given.

    Raises
    ------
    ToolError
        If there is no such lesion, or labels do not suffice.
    """
    following = _unused(labels, new)
    if label is None:
        box = bounding_box(labels > 0)
        if box is None:
            return nothing(labels)
    else:
        box = lesion_box(labels, label)
    after = labels[box].copy()
    for one, where in enumerate(ndimage.find_objects(after if label is None else (after == label) * label), start=1):
        if where is None:
            continue
        pieces, number = ndimage.label(labels[box][where] == one, _TOUCHING, output=np.int32)
        order = np.argsort(-np.bincount(pieces.ravel(), minlength=number + 1)[1:], kind="stable")
        if following + number - 2 > np.iinfo(labels.dtype).max:
            raise ToolError("there are more pieces than free labels")
        for piece in order[1:] + 1:
            after[where][pieces == piece] = following
            following += 1
    return change(labels, box, after)


def merge(labels: Labels, ids: Iterable[int]) -> LabelEdit:
    """Give several lesions the label of the first."""
    first, *others = list(ids) or [0]
    lesion_box(labels, first)
    return _replace(labels, others, first)


def delete(labels: Labels, *ids: int) -> LabelEdit:
    """Remove lesions."""
    return _replace(labels, ids, 0)


def relabel(labels: Labels, old: int, new: int) -> LabelEdit:
    """Give a lesion another label.

    Raises
    ------
    ToolError
        If there is no lesion ``old``, or another one has the label ``new``.
    """
    if old == new:
        lesion_box(labels, old)
        return nothing(labels)
    return _replace(labels, [old], _unused(labels, new))


def copy_slice(labels: Labels, label: int, source: int, target: int) -> LabelEdit:
    """Draws a lesion in one slice as it is in another.

    What the lesion had in the target slice is replaced; other lesions there stay as they are.

    Parameters
    ----------
    source, target : int
        Indices of the slices.

    Raises
    ------
    ToolError
        If the lesion is not in the source slice, or there is no such target.
    """
    if not 0 <= target < len(labels):
        raise ToolError("there is no further slice")
    if label < 1 or not (labels[source] == label).any():
        raise ToolError(f"lesion {label} is not in this slice")
    shape, there = labels[source] == label, labels[target]
    own = (there == 0) | (there == label)
    after = np.where(own, np.where(shape, labels.dtype.type(label), labels.dtype.type(0)), there)
    return change(labels, (slice(target, target + 1), slice(0, there.shape[0]), slice(0, there.shape[1])), after[None])


def within_range(labels: Labels, made: LabelEdit, image: npt.NDArray[Any], low: float, high: float) -> LabelEdit:
    """Leaves out what a change draws on voxels that are darker or brighter than asked for; what it erases stays erased.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        The labels that ``made`` is a change of.
    image : ndarray, shape (z, y, x)
        Intensities.
    low, high : float
        The range, both ends included.
    """
    if not made:
        return made
    seen = image[made.box]
    kept = (made.after == 0) | ((seen >= low) & (seen <= high))
    return change(labels, made.box, np.where(kept, made.after, made.before))


def _replace(labels: Labels, ids: Iterable[int], value: int) -> LabelEdit:
    chosen = np.zeros(np.iinfo(labels.dtype).max + 1, bool)
    for label in (wanted := list(ids)):
        if not 0 < label < len(chosen):
            raise ToolError(f"there is no lesion {label}")
        chosen[label] = True
    where = chosen[labels]
    box = bounding_box(where)
    found = set() if box is None else set(np.unique(labels[box][where[box]]).tolist())
    if missing := sorted(set(wanted) - found):
        raise ToolError(f"there is no lesion {missing[0]}")
    if box is None:
        return nothing(labels)
    return change(labels, box, np.where(where[box], labels.dtype.type(value), labels[box]))


def _unused(labels: Labels, new: int | None) -> int:
    if new is None:
        return free_label(labels)
    if not 0 < new <= np.iinfo(labels.dtype).max:
        raise ToolError(f"a label is a number from 1 to {np.iinfo(labels.dtype).max}, not {new}")
    if (labels == new).any():
        raise ToolError(f"lesion {new} is there already; choose another label, or merge the two")
    return new


def _inside(labels: Labels, label: int, place: Voxel) -> Voxel:
    z, y, x = place
    within = all(0 <= at < size for at, size in zip(place, labels.shape, strict=True))
    if not within or label < 1 or labels[z, y, x] != label:
        raise ToolError(f"the voxel {place} is not in lesion {label}; choose two places inside it")
    return int(z), int(y), int(x)


def _basins(
    lesion: npt.NDArray[np.bool_], seeds: npt.NDArray[np.intp], spacing: npt.NDArray[np.float64]
) -> npt.NDArray[np.int8]:
    """1 and 2 where the first or the second seed's half lies, 0 outside the lesion."""
    padded = np.pad(lesion, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing)
    depth = np.ceil(depth * (255 / depth.max())).astype(np.uint8)
    first, second = (tuple(seed) for seed in seeds + 1)
    cores = np.zeros(depth.shape, np.int8)
    for value, bulb in enumerate(_bulbs(depth, _summit(depth, first), _summit(depth, second)), start=1):
        cores[bulb] = value
    cores[first], cores[second] = 1, 2
    nearest = ndimage.distance_transform_edt(cores == 0, spacing, return_distances=False, return_indices=True)
    return np.where(lesion, cores[tuple(nearest)][1:-1, 1:-1, 1:-1], np.int8(0))


def _summit(depth: npt.NDArray[np.uint8], place: Voxel) -> Voxel:
    """Where steepest ascent from ``place`` ends."""
    while True:
        around = depth[tuple(slice(at - 1, at + 2) for at in place)]
        if around.max() == depth[place]:
            return place
        z, y, x = np.unravel_index(int(around.argmax()), around.shape)
        place = (int(place[0] + z - 1), int(place[1] + y - 1), int(place[2] + x - 1))


def _bulbs(depth: npt.NDArray[np.uint8], first: Voxel, second: Voxel) -> list[npt.NDArray[np.bool_]]:
    """What is deeper than the neck between two summits, round each; nothing where there is no neck between them."""
    joined, apart = 0, min(int(depth[first]), int(depth[second])) + 1
    while apart - joined > 1:
        middle = (joined + apart) // 2
        pieces, _ = ndimage.label(depth >= middle, _TOUCHING)
        if pieces[first] == pieces[second]:
            joined = middle
        else:
            apart = middle
    pieces, _ = ndimage.label(depth >= apart, _TOUCHING)
    if not (pieces[first] and pieces[second]):
        return []
    return [pieces == pieces[first], pieces == pieces[second]]
