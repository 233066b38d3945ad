"""Random changes to a training slice, with torchvision's transforms (v2)."""

from __future__ import annotations

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from metseg.training.config import AugmentationConfig

Pair = tuple[torch.Tensor, torch.Tensor]


class Augmentation:
    """Geometry of image and mask alike, then intensities of the image, then a crop.

    Randomness comes from torch's global generator.

    Parameters
    ----------
    config : AugmentationConfig
        How much of what.
    crop : int
        Side of the crop, pixels.
    flair : int or None
        Channel that may stand in for the others.
    """

    def __init__(self, config: AugmentationConfig, crop: int, flair: int | None) -> None:
        self.config = config
        self._flair = flair
        self._geometry = v2.Compose(
            [
                v2.RandomHorizontalFlip(config.horizontal_flip),
                v2.RandomVerticalFlip(config.vertical_flip),
                v2.RandomAffine(
                    degrees=config.rotation,
                    translate=(config.shift, config.shift),
                    scale=(1 - config.scale, 1 + config.scale),
                    shear=config.shear,
                    interpolation=v2.InterpolationMode.BILINEAR,
                ),
                v2.RandomApply([v2.ElasticTransform(alpha=60.0, sigma=6.0)], p=config.elastic),
                v2.RandomCrop(crop, pad_if_needed=True),
            ]
        )

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> Pair:
        """Change ``image`` (float32, (c, y, x), in [0, 1]) and ``mask`` (uint8, (1, y, x)); both come back cropped."""
        moved, moved_mask = self._geometry(tv_tensors.Image(image), tv_tensors.Mask(mask))
        changed = self._intensity(self._without_sequences(moved.as_subclass(torch.Tensor)))
        return changed, moved_mask.as_subclass(torch.Tensor)

    def _without_sequences(self, image: torch.Tensor) -> torch.Tensor:
        if self._flair is None:
            return image
        lost = torch.rand(len(image)) < self.config.missing_sequence
        if torch.rand(()) < self.config.missing_sequence:
            lost[:] = True
        lost[self._flair] = False
        return torch.where(lost[:, None, None], image[self._flair], image)

    def _intensity(self, image: torch.Tensor) -> torch.Tensor:
        config = self.config
        gain, offset, gamma = (_symmetric(len(image), 1, 1) for _ in range(3))
        image = image.clamp(min=0) ** torch.exp(gamma * config.gamma)
        image = image * (1 + gain * config.contrast) + offset * config.brightness
        deviation = torch.rand(()) * config.noise
        return image + torch.randn_like(image) * deviation


def _symmetric(*shape: int) -> torch.Tensor:
    return torch.rand(shape) * 2 - 1
