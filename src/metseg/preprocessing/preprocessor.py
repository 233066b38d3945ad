"""One volume under one config: fitted once, then slices on demand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from metseg.preprocessing.config import PreprocessingConfig
from metseg.preprocessing.enhancement import apply_clahe
from metseg.preprocessing.grid import Grid

#: Above this share of the window a voxel counts as head when z-scoring.
_HEAD = 0.05


class Preprocessor:
    """Turns slices of a volume into network input and network output back into slices.

    Intensity windows are taken from the whole volume, so that a slice looks the same whichever slices are
    asked for with it.

    Parameters
    ----------
    config : PreprocessingConfig
        What to do.
    voxels : ndarray of uint8 or uint16, shape (c, z, y, x)
        The volume, channels in the order of ``config.sequences``.
    """

    def __init__(self, config: PreprocessingConfig, voxels: npt.NDArray[np.generic]) -> None:
        self.config = config
        self.grid = Grid.fit(voxels.shape[2:], config.size, config.multiple)
        self._voxels = voxels
        self._low, self._range = _windows(voxels, config)
        self._mean = self._deviation = None
        if config.normalisation == "zscore":
            self._mean, self._deviation = self._head_statistics()

    def enhanced(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` after window and CLAHE on the file's own grid, float32 (c, y, x) in [0, 1]."""
        image = np.clip((self._voxels[:, z] - self._low) / self._range, 0, 1).astype(np.float32)
        return image if self.config.clahe is None else apply_clahe(image, self.config.clahe)

    def images(self, z: Iterable[int]) -> npt.NDArray[np.float32]:
        """Network input for the slices ``z``, float32 (n, c, height, width)."""
        return np.stack([self.grid.forward(self._standardised(self.enhanced(index))) for index in z])

    def restore(self, planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Network output, float32 (n, height, width), on the file's grid, float32 (n, y, x)."""
        return self.grid.backward(planes)

    def _standardised(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._mean is None:
            return image
        return ((image - self._mean) / self._deviation).astype(np.float32)

    def _head_statistics(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        volume = np.stack([self.enhanced(z) for z in range(self._voxels.shape[1])], axis=1)
        head = self._window_mask()
        moments = [
            (channel[inside].mean(), channel[inside].std()) if inside.any() else (channel.mean(), channel.std())
            for channel, inside in zip(volume, head, strict=True)
        ]
        mean, deviation = np.asarray(moments, np.float32).T[..., None, None]
        return mean, np.maximum(deviation, np.float32(1e-3))

    def _window_mask(self) -> npt.NDArray[np.bool_]:
        threshold = self._low[:, None] + _HEAD * self._range[:, None]
        return np.asarray(self._voxels > threshold)


def _windows(
    voxels: npt.NDArray[np.generic], config: PreprocessingConfig
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Lower end and width of each channel's intensity window, float32 (c, 1, 1)."""
    bounds = (0.0, 100.0) if config.normalisation == "unit" else config.percentiles
    low, high = np.stack([np.percentile(channel, bounds) for channel in voxels], axis=1).astype(np.float32)
    flat = high <= low
    high[flat] = np.maximum(low[flat], [channel.max() for channel in voxels[flat]]) if flat.any() else high[flat]
    return low[:, None, None], np.maximum(high - low, 1e-6)[:, None, None].astype(np.float32)
