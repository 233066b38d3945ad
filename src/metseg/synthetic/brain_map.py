"""Where brain, and in it white matter, lies in a real head: good enough to choose places for lesions."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.study.model import Sequence
from metseg.synthetic.fields import Float, soft

#: Height of an adult brain with its stem, mm: what the slices of a head of unknown slice distance are taken to span.
BRAIN_HEIGHT = 130.0
#: Brain is eroded by this much (mm) to part it from what it touches.
_BRIDGE = 5.0
#: Brain is brighter than this share of its own median on FLAIR; fluid, bone and air are darker.
_DARKEST = 0.55
#: Fat is brighter than this multiple of brain on the T1-weighted picture.
_FAT = 1.9

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BrainMap:
    """Brain on a grid of half the rows and columns.

    Attributes
    ----------
    tissue : ndarray of bool, shape (z, y // 2, x // 2)
        Grey and white matter and what grows in it, without fluid.
    white : ndarray of float32, same shape
        How likely white matter is, in [0, 1].
    depth : ndarray of float32, same shape
        Distance in mm, within the slice, to what is not tissue.
    level : ndarray of float32, shape (z,)
        Brightness of brain on FLAIR, slice by slice.
    spacing : tuple of float
        Voxel size of the head itself in mm along (z, y, x).
    """

    tissue: Bool
    white: Float
    depth: Float
    level: Float
    spacing: tuple[float, float, float]

    def full(self, half: npt.NDArray[Any], shape: tuple[int, int, int]) -> Float:
        """Bring ``half``, one of the maps, to the head's own grid of shape ``shape``; float32."""
        doubled = np.asarray(half, np.float32).repeat(2, axis=1).repeat(2, axis=2)
        missing = [(0, whole - there) for whole, there in zip(shape, doubled.shape, strict=True)]
        smooth: Float = ndimage.uniform_filter(np.pad(doubled, missing, mode="edge"), (1, 3, 3))
        return smooth


def stand_ins(voxels: npt.NDArray[Any], sequences: Seq[Sequence]) -> tuple[Sequence, ...]:
    """What each channel really shows: FLAIR where it holds a copy of the FLAIR channel, else as named."""
    if Sequence.FLAIR not in sequences:
        return tuple(sequences)
    flair = voxels[list(sequences).index(Sequence.FLAIR)]
    return tuple(
        Sequence.FLAIR if np.array_equal(channel, flair) else name
        for channel, name in zip(voxels, sequences, strict=True)
    )


def map_brain(
    voxels: npt.NDArray[Any], sequences: Seq[Sequence], spacing: tuple[float, float, float] | None = None
) -> BrainMap:
    """Find the brain by brightness and connectedness, from the middle slice outwards.

    Parameters
    ----------
    voxels : ndarray, shape (c, z, y, x)
        The head, axial slices.
    sequences : sequence of Sequence, length c
        What each channel really shows (:func:`stand_ins`).
    spacing : tuple of float, optional
        Voxel size in mm along (z, y, x); unknown, 1 mm within the slice is assumed and the slices with brain on them
        are taken to span :data:`BRAIN_HEIGHT`.
    """
    flair = _halved(voxels[sequences.index(Sequence.FLAIR) if Sequence.FLAIR in sequences else 0])
    structural = next((s for s in (Sequence.PRE, Sequence.POST) if s in sequences), None)
    weighted = None if structural is None else _halved(voxels[list(sequences).index(structural)])
    pixel = 1.0 if spacing is None else (spacing[1] + spacing[2]) / 2
    tissue, level = _grow(flair, weighted, 2 * pixel)
    if spacing is None:
        slices = int(np.count_nonzero(tissue.any(axis=(1, 2))))
        spacing = float(np.clip(BRAIN_HEIGHT / max(slices, 1), 1.0, 7.5)), 1.0, 1.0
    depth = np.stack([ndimage.distance_transform_edt(plane) for plane in tissue]).astype(np.float32) * (2 * pixel)
    white = _whiteness(flair if weighted is None else weighted, tissue, depth, inverted=weighted is None)
    return BrainMap(tissue, white, depth, level, spacing)


def _halved(channel: npt.NDArray[Any]) -> Float:
    """Means of two by two pixels."""
    z, y, x = (channel.shape[0], *(n // 2 * 2 for n in channel.shape[1:]))
    blocks = channel[:, :y, :x].reshape(z, y // 2, 2, x // 2, 2)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32))


def _grow(flair: Float, weighted: Float | None, pixel: float) -> tuple[Bool, Float]:
    """Brain in every slice: what is connected and lies, for the most part, above or below brain already found."""
    depth = len(flair)
    middle = depth // 2
    tissue, level = np.zeros(flair.shape, bool), np.ones(depth, np.float32)
    disc = _disc(_BRIDGE / pixel)
    inner = tuple(slice(int(0.3 * n), int(0.7 * n) + 1) for n in flair.shape[1:])
    for path in (range(middle, depth), range(middle - 1, -1, -1)):
        before, fat = None, 0.0
        for z in path:
            if before is None and z != middle:
                before = tissue[middle]
            near = flair[z][inner] if before is None else flair[z][before]
            bright = near[near > 0.3 * np.median(near)] if near.size else near
            if not bright.size or not tissue[middle].any() and z != middle:
                break
            level[z] = np.median(bright)
            plane = flair[z] > _DARKEST * level[z]
            if weighted is not None:
                here = weighted[z][inner] if before is None else weighted[z][before]
                fat = _FAT * float(np.median(here[here > 0.3 * np.median(here)])) if here.any() else fat
                plane &= weighted[z] < fat
            tissue[z] = _connected(plane, before, disc)
            before = tissue[z]
    return tissue, level


def _connected(plane: Bool, before: Bool | None, disc: Bool) -> Bool:
    """Parts of ``plane`` that stay when bridges are cut and that lie over ``before``, the largest if that is none."""
    core = ndimage.binary_erosion(plane, disc)
    labels, count = ndimage.label(core)
    if not count:
        return np.zeros_like(plane)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    if before is None:
        kept = np.arange(count + 1) == sizes.argmax()
    else:
        shared = np.bincount(labels[before], minlength=count + 1)
        kept = shared > 0.6 * np.maximum(sizes, 1)
        kept[0] = False
    grown = ndimage.binary_dilation(kept[labels], disc) & plane
    return np.asarray(grown)


def _disc(radius: float) -> Bool:
    reach = int(np.ceil(radius))
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(np.hypot(row, column) <= radius + 0.2)


def _whiteness(picture: Float, tissue: Bool, depth: Float, *, inverted: bool) -> Float:
    """White matter lies deep, and is brighter than its surroundings on T1-weighted pictures, darker on FLAIR."""
    inside = tissue.astype(np.float32)
    share = ndimage.gaussian_filter(inside, (0, 6, 6)) + np.float32(1e-3)
    around = ndimage.gaussian_filter(picture * inside, (0, 6, 6)) / share
    local = ndimage.gaussian_filter(picture, (0, 0.7, 0.7)) / np.maximum(around, 1) - 1
    bright = soft(-local if inverted else local, 0.08)
    return np.asarray(inside * (0.5 * bright + 0.5 * soft(depth - 5, 2.5)), np.float32)
