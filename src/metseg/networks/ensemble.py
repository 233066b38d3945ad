"""Several networks as one: the mean of their probabilities."""

from __future__ import annotations

import torch
from torch import nn

from metseg.networks.registry import SegmentationNetwork, build_network
from metseg.networks.spec import EnsembleSpec

#: Probabilities nearer to 0 or 1 than this have no finite logit in fp32.
_LEAST = 1e-6


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
        return mean_logit(self.member_probabilities(images))

    def member_probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities of every member, float32 (member, …)."""
        return torch.stack([member(images).float().sigmoid() for member in self.members])


def mean_logit(probabilities: torch.Tensor) -> torch.Tensor:
    """Logit of the mean of the members' ``probabilities``, (member, …)."""
    return torch.logit(probabilities.mean(dim=0), eps=_LEAST)


def build_ensemble(spec: EnsembleSpec) -> Ensemble:
    """Build the networks of ``spec`` with random weights."""
    return Ensemble([build_network(member) for member in spec.members])
