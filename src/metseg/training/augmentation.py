"""Random changes to a training slice, or the same to all slices of a stack."""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F

from metseg.preprocessing import ClaheConfig, PreprocessingConfig, apply_clahe
from metseg.study import Sequence
from metseg.training.config import AugmentationConfig
from metseg.training.deformation import random_deformation

Pair = tuple[torch.Tensor, torch.Tensor]

#: Range of CLAHE's clip limit, and of its number of tiles along each side.
_CLIP_LIMITS, _TILES = (1.0, 4.0), (2, 12)


class Augmentation:
    """Geometry and crop of image and mask, then intensities of the image.

    Parameters
    ----------
    crop : int
        Side of the crop, pixels.
    preprocessing : PreprocessingConfig
        What the channels are. All planes of a slice lose the same sequences; the equalised one has intensity changes
        of its own.
    """

    def __init__(self, config: AugmentationConfig, crop: int, preprocessing: PreprocessingConfig) -> None:
        self.config = config
        self.crop = crop
        sequences = preprocessing.sequences
        self._sequences = len(sequences)
        self._flair = sequences.index(Sequence.FLAIR) if Sequence.FLAIR in sequences else None
        self._around = 2 * preprocessing.neighbours + 1
        self._clahe = config.clahe if preprocessing.clahe is None else 0.0

    def __call__(
        self,
        image: torch.Tensor,
        mask: torch.Tensor,
        generator: torch.Generator | None = None,
        centre: tuple[int, int] | None = None,
    ) -> Pair:
        """Change and crop a slice, or a stack of slices with one geometry and one change of brightness for all.

        Parameters
        ----------
        image : Tensor of float32, shape (channels, y, x) or (z, channels, y, x)
            Intensities in [0, 1].
        mask : Tensor of uint8, shape (1, y, x) or (z, 1, y, x)
            1 inside lesions.
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default.
        centre : (int, int), optional
            (y, x) of a lesion that the crop must show.

        Returns
        -------
        tuple of Tensor
            Image and mask, cropped to ``crop`` rows and columns; else shaped as they came.
        """
        height, width = image.shape[-2:]
        if self._clahe and float(torch.rand((), generator=generator)) < self._clahe:
            image = _equalised(image, generator)
        deformation = random_deformation(self.config, self.crop, (height, width), generator, centre)
        planes = deformation.image(image).view(*image.shape[:-3], -1, self._sequences, self.crop, self.crop)
        planes = self._intensity(self._without_sequences(planes, generator), generator)
        return planes.flatten(-4, -3), deformation.mask(mask)

    def _without_sequences(self, planes: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        if self._flair is None:
            return planes
        drawn = torch.rand(self._sequences + 1, generator=generator) < self.config.missing_sequence
        lost = drawn[:-1] | drawn[-1]
        if not lost.any():
            return planes
        return torch.where(lost[:, None, None], planes[..., self._flair, None, :, :], planes)

    def _intensity(self, planes: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        config = self.config
        gain, offset, gamma = self._per_plane(planes.shape[-4], generator)
        planes = planes.clamp(min=0).pow_(torch.exp(gamma * config.gamma))
        planes.mul_(1 + gain * config.contrast).add_(offset * config.brightness)
        planes = self._blurred(self._biased(planes, generator), generator)
        deviation = torch.rand((), generator=generator) * config.noise
        return planes.add_(torch.randn(planes.shape, generator=generator).mul_(deviation))

    def _biased(self, planes: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """``planes`` times a field through 3 × 3 random log-gains, the same for all slices."""
        if not self.config.bias_field:
            return planes
        gains = (torch.rand(1, self._sequences, 3, 3, generator=generator) * 2 - 1) * self.config.bias_field
        field = F.interpolate(gains, planes.shape[-2:], mode="bicubic", align_corners=True)[0]
        return planes * field.exp_()

    def _blurred(self, planes: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        if not self.config.blur:
            return planes
        deviation = float(torch.rand((), generator=generator) * 2 - 1) * self.config.blur
        return planes if deviation < 0.2 else _gaussian_blur(planes, deviation)

    def _per_plane(self, planes: int, generator: torch.Generator | None) -> torch.Tensor:
        """Three numbers in [-1, 1] for every sequence: one set for windowed planes, another for the equalised one."""
        drawn = torch.rand(3, 2, self._sequences, 1, 1, generator=generator) * 2 - 1
        return torch.cat([drawn[:, :1].expand(-1, self._around, -1, -1, -1), drawn[:, 1:]], dim=1)[:, :planes]


def _gaussian_blur(planes: torch.Tensor, deviation: float) -> torch.Tensor:
    """``planes``, float32 (…, y, x), blurred to three standard deviations, in pixels."""
    side = 2 * round(3 * deviation) + 1
    blurred = planes.clone(memory_format=torch.contiguous_format)
    for plane in blurred.view(-1, *planes.shape[-2:]).numpy():
        cv2.GaussianBlur(plane, (side, side), deviation, dst=plane)
    return blurred


def _equalised(image: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """All planes of ``image`` after CLAHE with one random setting."""
    drawn = torch.rand(3, generator=generator).tolist()
    fewest, most = _TILES
    rows, columns = (fewest + int(value * (most - fewest + 1)) for value in drawn[1:])
    config = ClaheConfig(
        clip_limit=_CLIP_LIMITS[0] + drawn[0] * (_CLIP_LIMITS[1] - _CLIP_LIMITS[0]), tiles=(rows, columns)
    )
    planes = apply_clahe(image.reshape(-1, *image.shape[-2:]).numpy(), config)
    return torch.from_numpy(planes).view(image.shape)
