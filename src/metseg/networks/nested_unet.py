"""Nested U-Net: dense skip pathways between encoder and decoder (Zhou et al. 2018, U-Net++)."""

from __future__ import annotations

from torch import nn


def build(encoder: str, in_channels: int, classes: int) -> nn.Module:
    """SMP's U-Net++ returning logits (n, classes, height, width)."""
    import segmentation_models_pytorch as smp

    network: nn.Module = smp.UnetPlusPlus(encoder, encoder_weights=None, in_channels=in_channels, classes=classes)
    return network
