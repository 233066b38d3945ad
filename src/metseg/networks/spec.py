"""Which architectures there are, and what is needed to rebuild a network; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

ArchitectureName = Literal["nested_unet", "attention_unet", "inception_unet", "unet3d"]
InputRange = Literal["unit", "signed"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network family; ``build(encoder, in_channels, classes)`` of the module of the same name makes one.

    Attributes
    ----------
    title : str
        Name in the literature.
    reference : str
        Where it was published.
    encoder : str
        Default encoder, an SMP or ``tu-`` (timm) name.
    margin : int
        Slices on either side that help to outline a slice; 0 if the network looks at each slice by itself.
    """

    title: str
    reference: str
    encoder: str
    margin: int = 0


ARCHITECTURES: dict[str, Architecture] = {
    "nested_unet": Architecture(
        "Nested U-Net (U-Net++)",
        "Zhou et al. 2018, doi 10.1007/978-3-030-00889-5_1",
        "tu-tf_efficientnet_lite0",
    ),
    "attention_unet": Architecture(
        "Attention U-Net",
        "Oktay et al. 2018, arXiv 1804.03999",
        "tu-tf_efficientnet_lite0",
    ),
    "inception_unet": Architecture(
        "U-Net with InceptionV3 encoder",
        "Szegedy et al. 2016, doi 10.1109/CVPR.2016.308; Ronneberger et al. 2015, arXiv 1505.04597",
        "tu-inception_v3",
    ),
    "unet3d": Architecture(
        "3-D U-Net with slice mixing",
        "Liu et al. 2018, arXiv 1711.08580; Çiçek et al. 2016, arXiv 1606.06650",
        "tu-tf_efficientnet_lite0",
        margin=4,  # one for the deepest features, one for each decoder block that mixes slices
    ),
}


def encoder_input_range(name: str) -> InputRange:
    """Input range the encoder's published weights were trained with.

    Networks whose weights expect ImageNet's mean and deviation are fed [-1, 1] too, which differs from it by
    less than a tenth in scale.
    """
    return "unit" if name == "tu-inception_v3" else "signed"


class NetworkSpec(BaseModel, frozen=True, extra="forbid"):
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


class EnsembleSpec(BaseModel, frozen=True, extra="forbid"):
    """What is needed to rebuild an :class:`Ensemble`; the members agree in their channels.

    Attributes
    ----------
    members : tuple of NetworkSpec
        The networks, two or more.
    """

    architecture: Literal["ensemble"] = "ensemble"
    members: Annotated[tuple[NetworkSpec, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _channels_agree(self) -> EnsembleSpec:
        if len({(member.in_channels, member.classes) for member in self.members}) > 1:
            raise ValueError("the members of an ensemble must take and make the same channels")
        return self

    @property
    def in_channels(self) -> int:
        """Input channels of every member."""
        return self.members[0].in_channels

    @property
    def margin(self) -> int:
        """Slices on either side that some member wants to see."""
        return max(member.margin for member in self.members)

    @property
    def title(self) -> str:
        """How many there are."""
        return f"mean of {len(self.members)} networks"

    @property
    def description(self) -> str:
        """The members, for a model card."""
        return "Mean probability of: " + "; ".join(member.description for member in self.members)
