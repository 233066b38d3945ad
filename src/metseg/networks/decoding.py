"""What the decoders that this package brings itself have in common."""

from __future__ import annotations

from torch import nn

#: Of the blocks, from the deepest one on.
DECODER_CHANNELS = (256, 128, 64, 32)


def feature_channels(encoder: nn.Module) -> list[int]:
    """Channels of an SMP encoder's features, the deepest first, less the images themselves."""
    stages: list[int] = encoder.out_channels  # type: ignore[assignment]  # SMP's encoders have no types
    return stages[:0:-1]


def convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """3 × 3, normalised, rectified."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def make_head(classes: int) -> nn.Module:
    """Logits of ``classes`` on a grid twice as fine as the last block's."""
    return nn.Sequential(nn.Conv2d(DECODER_CHANNELS[-1], 4 * classes, kernel_size=3, padding=1), nn.PixelShuffle(2))
