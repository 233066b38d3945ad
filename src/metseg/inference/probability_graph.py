"""A network with all that a backend is asked for, as one module that other formats are traced from."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from metseg.networks import Ensemble

#: Slices of the example that a network is traced with, and their side in pixels; InceptionV3 takes none of 64.
EXAMPLE_SLICES: Final = 8
EXAMPLE_SIDE: Final = 128


class ProbabilityGraph(nn.Module):
    """A network that answers with probabilities and the disagreement of an ensemble's members.

    Parameters
    ----------
    network : nn.Module
        A network or an ensemble.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probability and disagreement, (n, height, width), of ``images``, (n, c, height, width)."""
        if isinstance(self.network, Ensemble):
            answers = self.network.answers(images)
            return answers.mean(dim=0).amax(dim=1), (answers.amax(dim=0) - answers.amin(dim=0)).amax(dim=1)
        planes = self.network(images).float().sigmoid().amax(dim=1)
        return planes, torch.zeros_like(planes)


def example_images(channels: int) -> torch.Tensor:
    """Images to trace a network with, float32 (n, channels, height, width) in [0, 1]."""
    return torch.rand(EXAMPLE_SLICES, channels, EXAMPLE_SIDE, EXAMPLE_SIDE)
