"""One volume under one config: fitted once, then slices on demand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.preprocessing.config import ClaheConfig, PreprocessingConfig
from metseg.preprocessing.grid import Grid
from metseg.preprocessing.padding import raise_padding

#: Above this share of the window a voxel counts as head when z-scoring.
_HEAD = 0.05

#: Above this share of the percentile window a voxel counts as head when looking for its median.
_BRIGHT = 0.1

#: Voxels that differ by less than this share of the largest, or are larger, are windowed in float64.
_COARSEST, _MOST = 1e-3, 1e30


def neighbourhood(z: int, depth: int, neighbours: int) -> list[int]:
    """Slices from ``z - neighbours`` to ``z + neighbours``; the first or last one stands for those beyond it."""
    return [min(max(z + offset, 0), depth - 1) for offset in range(-neighbours, neighbours + 1)]


def network_input(
    channels: npt.NDArray[np.floating], around: list[npt.NDArray[np.floating]]
) -> npt.NDArray[np.float32]:
    """Arrange one slice as the network wants it: the planes ``around`` it, itself among them, then itself equalised.

    Parameters
    ----------
    channels : ndarray, shape (v, c, height, width)
        From :meth:`Preprocessor.channels`.
    around : list of ndarray, shape (c, height, width)
        The first channels of every slice of the neighbourhood.

    Returns
    -------
    ndarray of float32, shape (channels, height, width)
    """
    return np.concatenate([*around, *channels[1:]]).astype(np.float32)


def apply_clahe(image: npt.NDArray[np.float32], config: ClaheConfig) -> npt.NDArray[np.float32]:
    """Equalise one slice.

    The slice is quantised to 256 grey levels first: OpenCV's 16-bit CLAHE spreads its clip limit over 65,536
    bins, which at these tile sizes leaves the image all but unchanged.

    Parameters
    ----------
    image : ndarray of float32, shape (c, y, x)
        Intensities in [0, 1].
    config : ClaheConfig
        Clip limit, tiles and mode; ``luminance`` falls back to ``channel`` unless there are three channels.

    Returns
    -------
    ndarray of float32, shape (c, y, x)
        Intensities in [0, 1].
    """
    clahe = cv2.createCLAHE(config.clip_limit, (config.tiles[1], config.tiles[0]))
    levels = np.rint(image * 255.0).astype(np.uint8)
    if config.mode == "luminance" and len(levels) == 3:
        luma = cv2.cvtColor(np.ascontiguousarray(levels.transpose(1, 2, 0)), cv2.COLOR_RGB2YCrCb)
        luma[..., 0] = clahe.apply(np.ascontiguousarray(luma[..., 0]))
        levels = cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB).transpose(2, 0, 1)
    else:
        levels = np.stack([clahe.apply(channel) for channel in levels])
    return np.asarray(levels / np.float32(255.0), np.float32)


class Preprocessor:
    """Turns slices of a volume into network input and network output back into slices.

    Intensity windows are taken from the whole volume, so that a slice looks the same whichever slices are
    asked for with it.

    Parameters
    ----------
    voxels : ndarray of any real type, shape (c, z, y, x)
        The volume, channels in the order of ``config.sequences``. Padding far below air counts as air.
    """

    def __init__(self, config: PreprocessingConfig, voxels: npt.NDArray[np.generic]) -> None:
        self.config = config
        self.grid = Grid.fit(voxels.shape[2:], config.size, config.multiple)
        self._voxels = raise_padding(voxels)
        self._low, self._range = _windows(self._voxels, config)
        self._head = self._head_statistics() if config.normalisation == "zscore" else None

    def enhanced(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` after window and CLAHE on the file's own grid, float32 (c, y, x) in [0, 1]."""
        image = self.windowed(z)
        return image if self.config.clahe is None else apply_clahe(image, self.config.clahe)

    def windowed(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` after the window alone on the file's own grid, float32 (c, y, x) in [0, 1]."""
        windowed = (self._voxels[:, z].astype(self._low.dtype) - self._low) / self._range
        return np.asarray(np.clip(windowed, 0, 1), np.float32)

    def channels(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` on the network's grid, float32 (v, c, height, width).

        ``v`` is 2, windowed and equalised, if the unenhanced one is kept, else 1.
        """
        slices = [self.windowed(z), self.enhanced(z)] if self.config.append_unenhanced else [self.enhanced(z)]
        return np.stack([self.grid.forward(self._standardised(image)) for image in slices])

    def images(self, z: Iterable[int]) -> npt.NDArray[np.float32]:
        """Network input for the slices ``z``, float32 (n, channels, height, width)."""
        channels: dict[int, npt.NDArray[np.float32]] = {}
        depth = self._voxels.shape[1]
        images = []
        for index in z:
            around = neighbourhood(index, depth, self.config.neighbours)
            for other in around:
                if other not in channels:
                    channels[other] = self.channels(other)
            images.append(network_input(channels[index], [channels[other][0] for other in around]))
        return np.stack(images)

    def windowed_on_grid(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` after the window alone on the network's grid, float32 (c, height, width) in [0, 1]."""
        return self.grid.forward(self.windowed(z))

    def guide(self, z: Iterable[int]) -> npt.NDArray[np.float32]:
        """FLAIR, or else the first sequence, windowed, on the network's grid, float32 (n, height, width) in [0, 1]."""
        channel = self.config.sequences.index("flair") if "flair" in self.config.sequences else 0
        return np.stack([self.grid.forward(self.windowed(index)[channel : channel + 1])[0] for index in z])

    def restore(self, planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Network output, float32 (n, height, width), on the file's grid, float32 (n, y, x)."""
        return self.grid.backward(planes)

    def _standardised(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._head is None:
            return image
        mean, deviation = self._head
        return np.asarray((image - mean) / deviation, np.float32)

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
    voxels: npt.NDArray[Any], config: PreprocessingConfig
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Lower end and width of each channel's intensity window, (c, 1, 1); the same whatever type holds the voxels."""
    bounds = (0.0, 100.0) if config.normalisation == "unit" else config.percentiles
    precise = voxels.astype(np.float64, copy=False) if voxels.dtype.kind == "f" else voxels
    low, high = np.stack([np.percentile(channel, bounds) for channel in precise], axis=1).astype(_precision(voxels))
    if config.normalisation == "median":
        ends = zip(voxels, low.tolist(), high.tolist(), strict=True)
        high = np.array(
            [_above_median(channel, bottom, top, config.median_level) for channel, bottom, top in ends], low.dtype
        )
    flat = high <= low
    high[flat] = np.maximum(low[flat], [channel.max() for channel in voxels[flat]]) if flat.any() else high[flat]
    return low[:, None, None], np.maximum(high - low, 1e-6)[:, None, None].astype(low.dtype)


def _precision(voxels: npt.NDArray[Any]) -> np.dtype[np.floating]:
    """float32, or float64 for voxels that differ by too little of their size for float32."""
    low, high = float(voxels.min()), float(voxels.max())
    peak = max(abs(low), abs(high))
    exact = voxels.dtype.itemsize <= 2 or (high - low >= _COARSEST * peak and peak < _MOST)
    return np.dtype(np.float32 if exact else np.float64)


def _above_median(channel: npt.NDArray[Any], low: float, high: float, level: float) -> float:
    """Upper end of the window that puts the median of the head at ``level``."""
    head = channel[channel > low + _BRIGHT * (high - low)]
    return low + (float(np.median(head)) - low) / level if head.size else high
