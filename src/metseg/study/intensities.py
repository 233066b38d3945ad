"""Values of any real type as those that a study holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError

_TOP = np.iinfo(np.uint16).max


def unsigned(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8 | np.uint16], tuple[str, ...]]:
    """``values`` as uint8 or uint16: unchanged where that can be, else stretched over 16 bits; and what was changed.

    Raises
    ------
    DataError
        If no value is finite.
    """
    if values.dtype == np.uint8:
        return values, ()
    finite = np.isfinite(values)
    if not finite.any():
        raise DataError("no voxel has a finite value")
    low, high = values[finite].min(), values[finite].max()
    if values.dtype.kind in "ui" and low >= 0 and high <= _TOP:
        return values.astype(np.uint16), ()
    span = max(float(high) - float(low), float(np.finfo(np.float32).tiny))
    scaled = (np.where(finite, values, low).astype(np.float64) - float(low)) * (_TOP / span)
    said = f"Values from {low:g} to {high:g} were mapped to 0 to 65535."
    lost = () if finite.all() else ("Voxels without a finite value were given the lowest one.",)
    return np.rint(scaled).astype(np.uint16), (said, *lost)
