"""A random crop of a slice, turned, stretched and bent: one map, so that pixels are interpolated once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from metseg.training.config import AugmentationConfig

#: Elastic deformation: standard deviation of the smoothing, and strength of the smoothed noise, in pixels.
_SMOOTHING, _STRENGTH = 6.0, 30.0


@dataclass(frozen=True, eq=False)
class Deformation:
    """Where every pixel of a crop comes from.

    Attributes
    ----------
    matrix : ndarray of float64, shape (2, 3)
        From (x, y, 1) in the crop to (x, y) in the slice.
    crop : int
        Side of the crop, pixels.
    bend : ndarray of float32, shape (2, crop, crop), or None
        Displacement of each pixel of the crop along (x, y), in pixels, before ``matrix`` is applied.
    """

    matrix: npt.NDArray[np.float64]
    crop: int
    bend: npt.NDArray[np.float32] | None = None

    def image(self, planes: torch.Tensor) -> torch.Tensor:
        """Crop ``planes``, float32 (..., y, x), with linear interpolation; 0 beyond the edge."""
        return self._resampled(planes, cv2.INTER_LINEAR)

    def mask(self, planes: torch.Tensor) -> torch.Tensor:
        """Crop ``planes``, uint8 (..., y, x), taking the nearest pixel; 0 beyond the edge."""
        return self._resampled(planes, cv2.INTER_NEAREST)

    def _resampled(self, planes: torch.Tensor, interpolation: int) -> torch.Tensor:
        source = planes.reshape(-1, *planes.shape[-2:]).numpy()
        out = np.empty((len(source), self.crop, self.crop), source.dtype)
        if self.bend is None:
            flags = interpolation | cv2.WARP_INVERSE_MAP
            for plane, target in zip(source, out, strict=True):
                cv2.warpAffine(plane, self.matrix, (self.crop, self.crop), dst=target, flags=flags)
        else:
            y, x = np.mgrid[: self.crop, : self.crop].astype(np.float32)
            x, y = x + self.bend[0], y + self.bend[1]
            x, y = (a * x + b * y + c for a, b, c in self.matrix.astype(np.float32))
            for plane, target in zip(source, out, strict=True):
                cv2.remap(plane, x, y, interpolation, dst=target, borderMode=cv2.BORDER_CONSTANT)
        return torch.from_numpy(out).view(*planes.shape[:-2], self.crop, self.crop)


def random_deformation(
    config: AugmentationConfig,
    crop: int,
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    centre: tuple[int, int] | None = None,
) -> Deformation:
    """Draw one.

    Parameters
    ----------
    crop : int
        Side of the crop, pixels. A slice smaller than that lies somewhere in it.
    size : tuple of int
        (y, x) of the slice.
    generator : torch.Generator, optional
        Source of randomness; torch's global one by default.
    centre : (int, int), optional
        (y, x) in the slice of a lesion that the crop must show, away from its edge where the slice allows it.
    """
    across, along, left, top, angle, scale, shear, right, down, bend = torch.rand(10, generator=generator).tolist()
    height, width = size
    affine = _inverse_affine(
        angle=math.radians(_between(angle, config.rotation)),
        scale=1 + _between(scale, config.scale),
        shear=math.radians(_between(shear, config.shear)),
        shift=(round(_between(right, config.shift * width)), round(_between(down, config.shift * height))),
        centre=((width - 1) / 2, (height - 1) / 2),
    )
    flip = np.eye(3)
    if across < config.horizontal_flip:
        flip[0] = -1, 0, width - 1
    if along < config.vertical_flip:
        flip[1] = 0, -1, height - 1
    deformed = flip @ affine
    if centre is None:
        start = _moved(_start(left, width - crop), _start(top, height - crop))
    else:
        x, y, _ = np.linalg.solve(deformed, (centre[1], centre[0], 1.0))
        start = _moved(_start_around(left, x, width, crop), _start_around(top, y, height, crop))
    field = None
    if bend < config.elastic:  # smoothed noise of about 0.8 pixels (Simard, Steinkraus, Platt, ICDAR 2003)
        noise = (torch.rand(2, crop, crop, generator=generator) * 2 - 1).numpy()
        field = np.stack([cv2.GaussianBlur(plane, (0, 0), _SMOOTHING) for plane in noise]) * np.float32(_STRENGTH)
    return Deformation((deformed @ start)[:2], crop, field)


def _between(drawn: float, most: float) -> float:
    """A number between ``-most`` and ``most`` from one in [0, 1)."""
    return (2 * drawn - 1) * most


def _start(drawn: float, room: int) -> int:
    """First row or column of a crop that may move by ``room`` pixels; negative if the crop is the larger one."""
    return int(drawn * (abs(room) + 1)) * (1 if room >= 0 else -1)


def _start_around(drawn: float, place: float, length: int, crop: int) -> int:
    """First row or column of a crop that holds ``place``, an eighth of the crop or more from its edge if it can be."""
    if length <= crop:
        return _start(drawn, length - crop)
    lowest = min(max(math.ceil(place - crop * 7 / 8), 0), length - crop)
    highest = min(max(math.floor(place - crop / 8), lowest), length - crop)
    return lowest + _start(drawn, highest - lowest)


def _moved(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _inverse_affine(
    *, angle: float, scale: float, shear: float, shift: tuple[float, float], centre: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """From where a pixel is after turning, scaling, shearing (about the centre) and shifting to where it was."""
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    sheared = np.array([[scale, -scale * math.tan(shear), 0], [0, scale, 0], [0, 0, 1]])
    forward = _moved(centre[0] + shift[0], centre[1] + shift[1]) @ turned @ sheared @ _moved(-centre[0], -centre[1])
    return np.linalg.inv(forward)
