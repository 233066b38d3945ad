"""Attention U-Net: additive attention gates on the skip connections (Oktay et al. 2018, arXiv 1804.03999)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from metseg.networks.decoding import DECODER_CHANNELS, convolution, feature_channels, make_head
from metseg.networks.encoders import make_encoder


class AttentionGate(nn.Module):
    """Additive attention gate (Oktay et al. 2018, section 2.1 and figure 2).

    ``alpha = sigmoid(psi(relu(W_x * x + W_g * g)))`` is computed on the grid of the coarser gating signal ``g``,
    interpolated to the grid of the skip features ``x`` and multiplied with them.

    Parameters
    ----------
    skip_channels, gate_channels : int
        Channels of ``x`` and ``g``.
    """

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        inner = max(skip_channels // 2, 8)
        self.skip = nn.Conv2d(skip_channels, inner, kernel_size=2, stride=2, bias=False)
        self.gate = nn.Conv2d(gate_channels, inner, kernel_size=1)
        self.psi = nn.Conv2d(inner, 1, kernel_size=1)
        if self.psi.bias is not None:
            nn.init.constant_(self.psi.bias, 1.0)  # the gates start open
        self.output = nn.Sequential(
            nn.Conv2d(skip_channels, skip_channels, kernel_size=1, bias=False), nn.BatchNorm2d(skip_channels)
        )

    def coefficients(self, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Attention in [0, 1], shape (n, 1, height, width) of ``x`` (n, skip_channels, height, width)."""
        theta = self.skip(x)
        phi = F.interpolate(self.gate(g), size=theta.shape[2:], mode="bilinear", align_corners=False)
        alpha = torch.sigmoid(self.psi(F.relu(theta + phi)))
        return F.interpolate(alpha, size=x.shape[2:], mode="bilinear", align_corners=False)

    def forward(self, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Gated skip features, shape of ``x``."""
        gated: torch.Tensor = self.output(x * self.coefficients(x, g))
        if gated.requires_grad:
            gated.register_hook(_dense)  # type: ignore[no-untyped-call]
        return gated


def _dense(gradient: torch.Tensor) -> torch.Tensor:
    """Concatenation hands back a slice: batch normalisation's backward pass on it is 5 to 15 times slower on a CPU."""
    return gradient.contiguous(memory_format=torch.channels_last)


class AttentionDecoderBlock(nn.Module):
    """Upsample to the skip's grid, concatenate the gated skip, convolve twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.attention = AttentionGate(skip_channels, in_channels) if skip_channels else None
        self.convolutions = nn.Sequential(
            convolution(in_channels + skip_channels, out_channels), convolution(out_channels, out_channels)
        )

    def forward(self, x: torch.Tensor, size: torch.Size, skip: torch.Tensor | None = None) -> torch.Tensor:
        """Decode ``x`` to the spatial ``size``, helped by ``skip`` on that grid."""
        upsampled = F.interpolate(x, size=size, mode="nearest")
        if self.attention is not None and skip is not None:
            upsampled = torch.cat([upsampled, self.attention(skip, x)], dim=1)
        decoded: torch.Tensor = self.convolutions(upsampled)
        return decoded


class AttentionUnet(nn.Module):
    """U-Net over an SMP/timm encoder with an :class:`AttentionGate` on every skip connection."""

    def __init__(self, encoder: str, in_channels: int, classes: int) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder, in_channels)
        features = feature_channels(self.encoder)
        widths = [features[0], *DECODER_CHANNELS]
        skips = features[1:]
        self.blocks = nn.ModuleList(
            AttentionDecoderBlock(before, skip, after)
            for (before, after), skip in zip(pairwise(widths), skips, strict=True)
        )
        self.head = make_head(classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes, height, width) of ``images`` (n, in_channels, height, width)."""
        _, *skips, x = self.encoder(images)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(x, skip.shape[2:], skip)
        logits: torch.Tensor = self.head(x)
        return logits


build = AttentionUnet
