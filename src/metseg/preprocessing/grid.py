"""The network's grid: resize and pad, and the exact way back to the file's grid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Grid:
    """How slices of one size are laid on the network's grid.

    Attributes
    ----------
    source : tuple of int
        (y, x) of the file.
    scaled : tuple of int
        (y, x) after resizing.
    padded : tuple of int
        (y, x) after centred zero padding: the network's input.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    padded: tuple[int, int]

    @classmethod
    def fit(cls, source: tuple[int, int], size: int | None, multiple: int) -> Grid:
        """Scale the longer side of ``source`` to ``size`` (``None``: not at all) and pad to ``multiple``."""
        factor = 1.0 if size is None else size / max(source)
        scaled = max(1, round(source[0] * factor)), max(1, round(source[1] * factor))
        padded = -(-scaled[0] // multiple) * multiple, -(-scaled[1] // multiple) * multiple
        return cls(source, scaled, padded)

    @property
    def _inside(self) -> tuple[slice, slice]:
        top = (self.padded[0] - self.scaled[0]) // 2
        left = (self.padded[1] - self.scaled[1]) // 2
        return slice(top, top + self.scaled[0]), slice(left, left + self.scaled[1])

    def forward(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Lay ``image``, float32 (c, y, x) on the file's grid, on the network's grid."""
        out = np.zeros((len(image), *self.padded), np.float32)
        for channel, target in zip(image, out, strict=True):
            target[self._inside] = _resize(channel, self.scaled)
        return out

    def backward(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bring ``image``, float32 (n, *padded) on the network's grid, back to the file's grid."""
        return np.stack([_resize(plane[self._inside], self.source) for plane in image])

    def forward_mask(self, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Lay a mask, uint8 (y, x), on the network's grid: a pixel is lesion if at least half of it is."""
        share = self.forward(mask[None].astype(np.float32))[0]
        return np.asarray(share >= 0.5, np.uint8)


def _resize(plane: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    if plane.shape == shape:
        return plane
    shrinking = shape[0] * shape[1] < plane.size
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(plane), (shape[1], shape[0]), interpolation=method)
    return np.asarray(resized, np.float32)
