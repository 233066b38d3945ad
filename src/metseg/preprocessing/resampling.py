"""Separable resampling of volumes between two grids that cover the same box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def resample(volume: npt.NDArray[np.float32], shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """Stretch ``volume`` to ``shape``: linear interpolation where an axis grows, mean of what is covered else.

    Both grids cover the same box, so that voxel centres lie at half voxels. An axis of unchanged length is left
    as it is, bit for bit.
    """
    for axis, size in enumerate(shape):
        if volume.shape[axis] != size:
            weights = _weights(volume.shape[axis], size)
            volume = np.moveaxis(np.tensordot(weights, volume, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(volume, np.float32)


def _weights(before: int, after: int) -> npt.NDArray[np.float32]:
    """How much each of ``before`` voxels counts for each of ``after`` voxels, shape (after, before)."""
    step = before / after
    sources = np.arange(before)[None]
    targets = np.arange(after)[:, None]
    if after < before:
        covered = np.minimum(sources + 1, (targets + 1) * step) - np.maximum(sources, targets * step)
        return np.asarray(np.clip(covered, 0, None) / step, np.float32)
    centres = np.clip((targets + 0.5) * step - 0.5, 0, before - 1)
    return np.asarray(np.clip(1 - np.abs(centres - sources), 0, None), np.float32)
