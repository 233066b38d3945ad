"""Random changes to a training slice, with torchvision's transforms (v2)."""

from __future__ import annotations

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from metseg.preprocessing import PreprocessingConfig
from metseg.study import Sequence
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
    preprocessing : PreprocessingConfig
        What the channels are. All planes of a slice lose the same sequences; the equalised one has intensity changes
        of its own.
    """

    def __init__(self, config: AugmentationConfig, crop: int, preprocessing: PreprocessingConfig) -> None:
        self.config = config
        sequences = preprocessing.sequences
        self._sequences = len(sequences)
        self._flair = sequences.index(Sequence.FLAIR) if Sequence.FLAIR in sequences else None
        self._around = 2 * preprocessing.neighbours + 1
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
                v2.RandomCrop(crop, pad_if_needed=True),
                v2.RandomApply([v2.ElasticTransform(alpha=60.0, sigma=6.0)], p=config.elastic),
            ]
        )

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> Pair:
        """Change and crop ``image``, float32 (channels, y, x) in [0, 1], and ``mask``, uint8 (1, y, x)."""
        moved, moved_mask = self._geometry(tv_tensors.Image(image), tv_tensors.Mask(mask))
        planes = moved.as_subclass(torch.Tensor).unflatten(0, (-1, self._sequences))
        changed = self._intensity(self._without_sequences(planes)).flatten(0, 1)
        return changed, moved_mask.as_subclass(torch.Tensor)

    def _without_sequences(self, planes: torch.Tensor) -> torch.Tensor:
        if self._flair is None:
            return planes
        lost = torch.rand(self._sequences) < self.config.missing_sequence
        if torch.rand(()) < self.config.missing_sequence:
            lost[:] = True
        return torch.where(lost[:, None, None], planes[:, self._flair, None], planes)

    def _intensity(self, planes: torch.Tensor) -> torch.Tensor:
        config = self.config
        gain, offset, gamma = (self._per_view(len(planes)) for _ in range(3))
        planes = planes.clamp(min=0) ** torch.exp(gamma * config.gamma)
        planes = planes * (1 + gain * config.contrast) + offset * config.brightness
        deviation = torch.rand(()) * config.noise
        return planes + torch.randn_like(planes) * deviation

    def _per_view(self, planes: int) -> torch.Tensor:
        """A number in [-1, 1] for every sequence: one for all planes of the first view, another for the second."""
        drawn = torch.rand(2, self._sequences, 1, 1) * 2 - 1
        return torch.cat([drawn[:1].expand(self._around, -1, -1, -1), drawn[1:]])[:planes]
