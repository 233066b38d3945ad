"""U-Net with the InceptionV3 encoder of Szegedy et al. (CVPR 2016) and a convolutional upsampling decoder."""

from __future__ import annotations

from torch import nn

#: Narrower than SMP's default, so that the published fp16 file stays under 60 MB.
DECODER_CHANNELS = (128, 96, 64, 32, 16)


def build(encoder: str, in_channels: int, classes: int) -> nn.Module:
    """SMP's U-Net, whose decoder upsamples to each skip's own (unpadded) size and convolves; returns logits."""
    import segmentation_models_pytorch as smp

    network: nn.Module = smp.Unet(
        encoder, encoder_weights=None, decoder_channels=DECODER_CHANNELS, in_channels=in_channels, classes=classes
    )
    return network
