"""Several networks that answer as one: the mean of their probabilities."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from metseg.networks.registry import NetworkSpec, SegmentationNetwork, build_network

#: Probabilities nearer to 0 or 1 than this have no finite logit in fp32.
_LEAST = 1e-6


class EnsembleSpec(BaseModel):
    """What is needed to rebuild an :class:`Ensemble`; the members agree in their channels.

    Attributes
    ----------
    members : tuple of NetworkSpec
        The networks, two or more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class Ensemble(nn.Module):
    """Mean probability of several networks (as in Lakshminarayanan et al. 2017, arXiv 1612.01474), as a logit.

    Parameters
    ----------
    members : iterable of SegmentationNetwork
        Networks with the same input and output.
    """

    def __init__(self, members: list[SegmentationNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of ``images``, shapes as for :class:`SegmentationNetwork`."""
        return mean_logit(self.answers(images))

    def answers(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities of every member, float32 (member, …)."""
        return torch.stack([member(images).float().sigmoid() for member in self.members])


def mean_logit(answers: torch.Tensor) -> torch.Tensor:
    """What an ensemble says, as a logit, if its members say ``answers``, (member, …)."""
    return torch.logit(answers.mean(dim=0), eps=_LEAST)


def build_ensemble(spec: EnsembleSpec) -> Ensemble:
    """Build the networks of ``spec`` with random weights."""
    return Ensemble([build_network(member) for member in spec.members])
