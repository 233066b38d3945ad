"""Padding far below air: the constant that fills corners of a turned or resliced volume, which is no intensity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Voxels that are looked at to tell whether there is padding.
_SAMPLE = 1 << 18
#: Percentiles of the other voxels: of air if there is any, though padding was blended into some, and of the brightest.
_DARK, _BRIGHT = 5.0, 99.5
#: Padding is at least so much of the distance between these below the dark one.
_FAR = 0.2
#: Where there is air, this share of the other voxels lies so near to the dark one: of a stripped brain less does.
_AIR_SHARE, _AIR_WIDTH = 0.2, 0.03
#: As wide, where padding is farther below than the brightest voxel is above: air may be noisy then.
_NOISY_AIR = 0.1
#: Values of padding (-1000, -1024, -32768) lie below this, those of MR images that are not negative do not.
_NO_INTENSITY = -500
#: What of the rest is this much below air was blended with padding; the lowest of the others is what is raised to.
_BLENDED = 0.1
#: A volume is padded with two values at most: its own, and that of whoever turned it.
_MOST = 2


def raise_padding(voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Raise padding to the intensity of air, channel by channel.

    Parameters
    ----------
    voxels : ndarray of any real type, all finite, shape (..., y, x)
        Three axes are one channel, four are (c, z, y, x).

    Returns
    -------
    ndarray of the same type and shape
        ``voxels`` itself where there is no padding.
    """
    if voxels.ndim == 4:
        raised = [raise_padding(channel) for channel in voxels]
        same = all(np.may_share_memory(one, channel) for one, channel in zip(raised, voxels, strict=True))
        return voxels if same else np.stack(raised)
    floor = _floor(voxels)
    return voxels if floor is None else np.maximum(voxels, floor)


def _floor(channel: npt.NDArray[Any]) -> Any:
    """Intensity of air, of the type of ``channel``, in a volume with padding far below it; else ``None``."""
    step = max(1, channel.size // _SAMPLE) | 1
    rest = channel.reshape(-1)[::step].astype(np.float64)
    found = None
    for _ in range(_MOST):
        lowest = float(rest.min())
        rest = rest[rest > lowest]
        if not rest.size:
            break
        dark, bright = (float(level) for level in np.percentile(rest, (_DARK, _BRIGHT)))
        below, span = dark - lowest, bright - dark
        width = (_AIR_WIDTH if below < span else _NOISY_AIR) * span
        air = float(np.mean(np.abs(rest - dark) <= width)) >= _AIR_SHARE
        no_intensity = lowest <= _NO_INTENSITY and dark >= 0
        if below >= _FAR * span > 0 and (air or no_intensity):
            found = dark - _BLENDED * span if air else 0.0
    if found is None:
        return None
    return channel[channel >= found].min()
