"""The intensities between which a volume is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.preprocessing.brain_shape import head_voxels
from metseg.preprocessing.padding import raise_padding

#: Voxels along the longer side of a slice, and slices, that are looked at.
_SIDE, _SLICES = 64, 32
#: Share of the largest distance to the air, within a slice: what lies less deep is scalp, skull or face.
_DEPTH = 0.3
#: Slices with less of the head than this share of the fullest one are left out: at the vertex all is scalp.
_FULL = 0.7
#: Percentiles of the head's interior that become black and white, and how much of their distance is kept above white.
_WINDOW = (1.0, 99.5)
_ABOVE = 0.1
#: White is at most this far above black, in medians of the interior above black: marrow and fat of the skull base are
#: brighter, enhancing lesions and FLAIR abnormalities seldom are.
_MOST_MEDIANS = 2.8
#: Fewer voxels than this say nothing about a head.
_FEWEST = 50


def display_window(volume: npt.NDArray[Any]) -> tuple[float, float]:
    """Find intensities for black and white that show the brain, however bright scalp and fat are.

    Parameters
    ----------
    volume : ndarray of any real type, shape (z, y, x)
        One sequence of a head, with or without its skull.

    Returns
    -------
    (float, float)
        Black and white, the latter larger: robust percentiles of the head's interior, which leaves out scalp and skull,
        or those of all finite voxels where no head stands out.
    """
    step = max(1, max(volume.shape[1:]) // _SIDE)
    small = np.asarray(volume[:: max(1, len(volume) // _SLICES), ::step, ::step], np.float64)
    finite = small[np.isfinite(small)]
    if not finite.size:
        return 0.0, 1.0
    small = np.nan_to_num(small, nan=float(finite.min()), posinf=float(finite.max()), neginf=float(finite.min()))
    small = raise_padding(small)
    interior = _interior(small)
    values = interior if interior.size >= _FEWEST else finite
    low, middle, high = (float(value) for value in np.percentile(values, (_WINDOW[0], 50.0, _WINDOW[1])))
    high += _ABOVE * (high - low)
    if interior.size >= _FEWEST and middle > low:
        high = min(high, low + _MOST_MEDIANS * (middle - low))
    if not high > low:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + 1.0)


def _interior(volume: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intensities of the brain and of little else."""
    head = head_voxels(volume)
    area = head.sum(axis=(1, 2))
    padded = np.pad(head, ((0, 0), (1, 1), (1, 1)))
    depth = np.stack([ndimage.distance_transform_edt(plane) for plane in padded])[:, 1:-1, 1:-1]
    depth[area < _FULL * area.max()] = 0
    interior: npt.NDArray[np.float64] = volume[depth > _DEPTH * depth.max()]
    return interior
