"""The brain's box of one study on the network's grid, and the exact way back to the study's grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from metseg.errors import DataError
from metseg.preprocessing.bias_field import correct_bias
from metseg.preprocessing.brain_shape import MIN_VOLUME_SLICES, USUAL_FLIPS, Flips, likely_flips
from metseg.preprocessing.config import BrainConfig
from metseg.preprocessing.padding import raise_padding
from metseg.preprocessing.resampling import resample

Triple = tuple[int, int, int]

#: How the brain of a study was found: it had no skull, it was extracted, or the whole head stands for it.
BrainSource = Literal["stripped", "extracted", "head"]

#: This percentile of the brain becomes 255.
_BRIGHTEST = 99.95

#: A box may fall short of the one on the grid by so many voxels on a side and still be that one.
_SLACK = 1


@dataclass(frozen=True, eq=False, slots=True)
class BrainGrid:
    """Lays volumes of one study on the brain's grid and brings what the network says of them back.

    Attributes
    ----------
    brain : ndarray of bool, shape (z, y, x)
        The brain on the study's grid.
    source : {"stripped", "extracted", "head"}
        Where that came from.
    start, stop : tuple of int
        The part of the study's grid, along (z, y, x), that is stretched to ``inner``.
    inner, rim : tuple of int
        Size of the brain's box on the network's grid, and of the zeros on either side of it.
    flips : tuple of bool
        Axes (z, y, x) that run the other way on the network's grid.
    corrected : bool
        Whether N4 is applied.
    """

    brain: npt.NDArray[np.bool_]
    source: BrainSource
    start: Triple
    stop: Triple
    inner: Triple
    rim: Triple
    flips: Flips = (False, False, False)
    corrected: bool = False

    @classmethod
    def fit(
        cls,
        brain: npt.NDArray[np.bool_],
        config: BrainConfig,
        source: BrainSource = "extracted",
        flips: Flips | None = None,
    ) -> BrainGrid:
        """Take the bounding box of ``brain``; a stripped scan that lies on the grid already keeps its place.

        Parameters
        ----------
        brain : ndarray of bool, shape (z, y, x)
            The brain on the study's grid.
        config : BrainConfig
            The grid to bring it to.
        source : str
            Where ``brain`` came from.
        flips : tuple of bool, optional
            Axes to turn round; if not given they follow from the shape of the brain.

        Raises
        ------
        DataError
            If ``brain`` is empty.
        """
        box = find_objects(brain.astype(np.uint8))
        if not box:
            raise DataError("there is no brain to lay on the network's grid")
        start, stop = _triple(axis.start for axis in box[0]), _triple(axis.stop for axis in box[0])
        inner, rim = config.inner, config.rim
        if source == "stripped" and brain.shape == config.grid and _fills(start, stop, rim, inner):
            start, stop = rim, _triple(low + size for low, size in zip(rim, inner, strict=True))
        if len(brain) < MIN_VOLUME_SLICES:
            start, stop = (0, *start[1:]), (len(brain), *stop[1:])
            inner, rim = (len(brain), *inner[1:]), (0, *rim[1:])
        if flips is None:
            flips = USUAL_FLIPS if len(brain) < MIN_VOLUME_SLICES else likely_flips(brain)
        corrected = config.bias_correction == "n4" and source != "stripped"
        return cls(brain, source, start, stop, inner, rim, flips, corrected)

    @property
    def shape(self) -> Triple:
        """Size of the network's grid along (z, y, x)."""
        return _triple(size + 2 * rim for size, rim in zip(self.inner, self.rim, strict=True))

    def forward(self, voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        """Lay the channels of the study, shape (c, z, y, x), on the network's grid, uint8 (c, *shape)."""
        return np.stack([self._laid_channel(channel) for channel in voxels])

    def forward_mask(self, mask: npt.NDArray[np.uint8 | np.bool_]) -> npt.NDArray[np.uint8]:
        """Lay a mask, shape (z, y, x), on the network's grid: a voxel is lesion if at least half of it is."""
        lesion = (mask[_slices(self.start, self.stop)] != 0) & self.brain[_slices(self.start, self.stop)]
        return self._padded((self._laid(lesion.astype(np.float32)) >= 0.5).astype(np.uint8))

    def known_slices(self, known: Iterable[int]) -> list[int]:
        """Slices of the network's grid whose middle lies in one of the slices ``known`` of the study."""
        depth = self.stop[0] - self.start[0]
        middles = (np.arange(self.shape[0]) - self.rim[0] + 0.5) * depth / self.inner[0]
        if self.flips[0]:
            middles = depth - middles
        origin = np.clip(np.floor(middles).astype(int) + self.start[0], 0, len(self.brain) - 1)
        return np.flatnonzero(np.isin(origin, list(known))).tolist()

    def backward(self, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bring values on the network's grid back to the study's, float32 (z, y, x); outside the brain they are 0."""
        ends = [low + size for low, size in zip(self.rim, self.inner, strict=True)]
        inside = probabilities[_slices(self.rim, ends)]
        size = [high - low for low, high in zip(self.start, self.stop, strict=True)]
        box = _slices(self.start, self.stop)
        out = np.zeros(self.brain.shape, np.float32)
        out[box] = np.where(self.brain[box], self._turned(resample(inside, size)), np.float32(0))
        return out

    def _laid_channel(self, channel: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        box = _slices(self.start, self.stop)
        brain = self.brain[box]
        channel = raise_padding(channel)
        values = channel[box].astype(np.float32)
        if self.source == "stripped":
            values -= min(float(channel.flat[0]), float(values[brain].min()))
        laid = self._laid(np.where(brain, values, np.float32(0)))
        if self.corrected:
            laid = correct_bias(laid)
        bright = laid[laid > 0]
        scale = 255 / float(np.percentile(bright, _BRIGHTEST)) if bright.size else 1.0
        return self._padded(np.clip(np.rint(laid * np.float32(scale)), 0, 255).astype(np.uint8))

    def _laid(self, box: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return resample(self._turned(box), self.inner)

    def _turned(self, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return volume[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def _padded(self, inner: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.pad(inner, [(rim, rim) for rim in self.rim])


def _fills(start: Triple, stop: Triple, rim: Triple, inner: Triple) -> bool:
    """Whether the box is the one that the grid has room for, or all but."""
    sides = zip(start, stop, rim, inner, strict=True)
    return all(0 <= low - at <= _SLACK and 0 <= at + size - high <= _SLACK for low, high, at, size in sides)


def _slices(start: Iterable[int], stop: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(low, high) for low, high in zip(start, stop, strict=True))


def _triple(values: Iterable[int]) -> Triple:
    z, y, x = values
    return z, y, x
