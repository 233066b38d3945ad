"""One registry of architectures and the spec that rebuilds any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from metseg.errors import CheckpointError
from metseg.networks import attention_unet, inception_unet, nested_unet, unet3d
from metseg.networks.encoders import InputRange, encoder_input_range, load_encoder_weights

#: Logit of a voxel before anything is learnt: a probability of 0.02.
PRIOR_LOGIT = -4.0

ArchitectureName = Literal["nested_unet", "attention_unet", "inception_unet", "unet3d"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network family.

    Attributes
    ----------
    title : str
        Name in the literature.
    reference : str
        Where it was published.
    body : callable
        ``body(encoder, in_channels, classes) -> nn.Module`` returning logits.
    encoder : str
        Default encoder, an SMP or ``tu-`` (timm) name.
    margin : int
        Slices on either side that help to outline a slice; 0 if the network looks at each slice by itself.
    """

    title: str
    reference: str
    body: Callable[[str, int, int], nn.Module]
    encoder: str
    margin: int = 0


ARCHITECTURES: dict[str, Architecture] = {
    "nested_unet": Architecture(
        "Nested U-Net (U-Net++)",
        "Zhou et al. 2018, doi 10.1007/978-3-030-00889-5_1",
        nested_unet.build,
        "tu-tf_efficientnet_lite0",
    ),
    "attention_unet": Architecture(
        "Attention U-Net",
        "Oktay et al. 2018, arXiv 1804.03999",
        attention_unet.build,
        "tu-tf_efficientnet_lite0",
    ),
    "inception_unet": Architecture(
        "U-Net with InceptionV3 encoder",
        "Szegedy et al. 2016, doi 10.1109/CVPR.2016.308; Ronneberger et al. 2015, arXiv 1505.04597",
        inception_unet.build,
        "tu-inception_v3",
    ),
    "unet3d": Architecture(
        "3-D U-Net with slice mixing",
        "Liu et al. 2018, arXiv 1711.08580; Çiçek et al. 2016, arXiv 1606.06650",
        unet3d.build,
        "tu-tf_efficientnet_lite0",
        margin=unet3d.MARGIN,
    ),
}


class NetworkSpec(BaseModel):
    """What is needed to rebuild a network.

    Attributes
    ----------
    architecture : str
        Key of :data:`ARCHITECTURES`.
    encoder : str
        SMP encoder name, or ``tu-NAME`` for a timm model.
    in_channels, classes : int
        Input channels and output channels; each output channel is a sigmoid of its own.
    input_range : {"unit", "signed"}
        The encoder expects [0, 1], or [-1, 1] (the network maps [0, 1] there itself).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: ArchitectureName
    encoder: str
    in_channels: Annotated[int, Field(ge=1)] = 3
    classes: Annotated[int, Field(ge=1)] = 1
    input_range: InputRange = "signed"

    @classmethod
    def of(cls, architecture: ArchitectureName, encoder: str | None = None, **overrides: Any) -> NetworkSpec:
        """The spec of ``architecture`` with its default encoder unless another is named."""
        encoder = encoder or ARCHITECTURES[architecture].encoder
        return cls(architecture=architecture, encoder=encoder, input_range=encoder_input_range(encoder), **overrides)

    @property
    def title(self) -> str:
        """The architecture's name in the literature, and its encoder."""
        return f"{ARCHITECTURES[self.architecture].title}, {self.encoder.removeprefix('tu-')} encoder"

    @property
    def margin(self) -> int:
        """Slices on either side that the network wants to see, see :class:`Architecture`."""
        return ARCHITECTURES[self.architecture].margin

    @property
    def description(self) -> str:
        """For a model card: with the publication."""
        return f"{self.title} ({ARCHITECTURES[self.architecture].reference})"


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
        self.body = ARCHITECTURES[spec.architecture].body(spec.encoder, spec.in_channels, spec.classes)

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
    except (KeyError, RuntimeError) as error:  # SMP's and timm's words for an encoder that they do not have
        raise CheckpointError(f"{spec.architecture} cannot be built on encoder {spec.encoder!r}: {error}") from error
    load_encoder_weights(network.encoder, spec.encoder, spec.in_channels, encoder_weights)
    return network


def set_prior(network: SegmentationNetwork) -> None:
    """Let an untrained network say that lesions are rare, by its last bias (Lin et al. 2017, arXiv 1708.02002, 4.1).

    From 0 a network may learn to tell healthy tissue by its features and lesions by their absence; then no probability
    is above that of the bias, which hardly moves.
    """
    head = [module for module in network.body.modules() if isinstance(module, nn.Conv2d)][-1]
    if head.bias is not None:
        nn.init.constant_(head.bias, PRIOR_LOGIT)
