"""Volumetric U-Net on a pretrained encoder: slices first, then convolutions along z.

The plan is that of the anisotropic hybrid network (Liu et al. 2018, arXiv 1711.08580): weights learned on pictures do
the work within a slice, and slices, which lie several times farther apart than pixels, talk to their neighbours
through convolutions of 3 × 1 × 1 that start as the identity.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from metseg.networks.decoding import DECODER_CHANNELS, convolution, feature_channels, make_head
from metseg.networks.encoders import make_encoder

#: Finest grid, as a fraction of the slice, on which slices are mixed.
_FINEST = 4


class SliceMixing(nn.Module):
    """Residual 3 × 1 × 1 convolution along z; the identity at first.

    Parameters
    ----------
    channels : int
        Features, which stay as many.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3 * channels, channels, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: torch.Tensor, depth: int) -> torch.Tensor:
        """Mix ``features`` (n · depth, channels, height, width) of ``n`` stacks of ``depth`` slices."""
        stacks = features.reshape(-1, depth, *features.shape[1:])
        edge = torch.zeros_like(stacks[:, :1])
        below = torch.cat([edge, stacks[:, :-1]], dim=1).flatten(0, 1)
        above = torch.cat([stacks[:, 1:], edge], dim=1).flatten(0, 1)
        mixed: torch.Tensor = self.norm(self.convolution(torch.cat([below, features, above], dim=1)))
        return features + mixed


class SliceMixingDecoderBlock(nn.Module):
    """Upsample to the skip's grid, concatenate, convolve twice within the slice, once along z."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, mixing: bool) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *convolution(in_channels + skip_channels, out_channels), *convolution(out_channels, out_channels)
        )
        self.mixing = SliceMixing(out_channels) if mixing else None

    def forward(self, x: torch.Tensor, skip: torch.Tensor, depth: int) -> torch.Tensor:
        """Decode ``x`` to the grid of ``skip``."""
        x = F.interpolate(x, size=skip.shape[2:], mode="nearest")
        decoded: torch.Tensor = self.convolutions(torch.cat([x, skip], dim=1))
        return decoded if self.mixing is None else self.mixing(decoded, depth)


class Unet3d(nn.Module):
    """U-Net over an SMP/timm encoder whose features are mixed along z on every grid coarser than half a slice."""

    def __init__(self, encoder: str, in_channels: int, classes: int) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder, in_channels)
        features = feature_channels(self.encoder)
        widths = [features[0], *DECODER_CHANNELS]
        self.mixing = nn.ModuleList(SliceMixing(channels) for channels in features[:-1])
        self.blocks = nn.ModuleList(
            SliceMixingDecoderBlock(before, skip, after, mixing=2 ** (len(DECODER_CHANNELS) - index) >= _FINEST)
            for index, ((before, after), skip) in enumerate(zip(pairwise(widths), features[1:], strict=True))
        )
        self.head = make_head(classes)

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        """Logits of ``stacks``, (n, z, in_channels, height, width) or one stack (z, in_channels, height, width)."""
        depth = stacks.shape[-4]
        slices = stacks.reshape(-1, *stacks.shape[-3:]).contiguous(memory_format=torch.channels_last)
        _, finest, *coarser = self.encoder(slices)
        mixed = [mix(level, depth) for mix, level in zip(self.mixing, reversed(coarser), strict=True)]
        x, *skips = [*mixed, finest]
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(x, skip, depth)
        logits: torch.Tensor = self.head(x)
        return logits.reshape(*stacks.shape[:-3], *logits.shape[1:])


build = Unet3d
