"""Builds the network of a spec."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import nn

from metseg.errors import CheckpointError
from metseg.networks.encoders import load_encoder_weights
from metseg.networks.spec import NetworkSpec

#: Logit of a voxel before anything is learnt: a probability of 0.02.
PRIOR_LOGIT = -4.0


class SegmentationNetwork(nn.Module):
    """A network with its input convention.

    ``forward`` takes float (n, in_channels, height, width) in [0, 1], sides multiples of 32, and returns logits
    (n, classes, height, width); the sigmoid of a logit is the probability of lesion. To a network with a margin the
    ``n`` images are consecutive slices of one head; it also takes several such stacks at once,
    (stacks, n, in_channels, height, width).
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        architecture = import_module(f"metseg.networks.{spec.architecture}")
        self.body: nn.Module = architecture.build(spec.encoder, spec.in_channels, spec.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of ``images``."""
        if self.spec.input_range == "signed":
            images = images * 2 - 1
        logits: torch.Tensor = self.body(images)
        return logits

    @property
    def encoder(self) -> nn.Module:
        """The pretrained part."""
        encoder = self.body.encoder
        if not isinstance(encoder, nn.Module):
            raise TypeError(f"{self.spec.architecture} has no encoder module")
        return encoder


def build_network(spec: NetworkSpec, *, encoder_weights: str = "none") -> SegmentationNetwork:
    """Build the network of ``spec``.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.
    encoder_weights : str
        ``none``, ``bundled``, ``imagenet`` or a ``.safetensors`` file.

    Raises
    ------
    CheckpointError
        If the encoder does not exist or its weights cannot be had.
    """
    try:
        network = SegmentationNetwork(spec)
    except (KeyError, RuntimeError) as error:  # what SMP and timm raise for an encoder that they do not have
        raise CheckpointError(f"{spec.architecture} cannot be built on encoder {spec.encoder!r}: {error}") from error
    load_encoder_weights(network.encoder, spec.encoder, spec.in_channels, encoder_weights)
    return network


def set_prior(network: SegmentationNetwork) -> None:
    """Set the last bias of an untrained network so that lesions are rare (Lin et al. 2017, arXiv 1708.02002, 4.1).

    From 0 a network may learn to tell healthy tissue by its features and lesions by their absence; then no probability
    is above that of the bias, which hardly moves.
    """
    head = [module for module in network.body.modules() if isinstance(module, nn.Conv2d)][-1]
    if head.bias is not None:
        nn.init.constant_(head.bias, PRIOR_LOGIT)
