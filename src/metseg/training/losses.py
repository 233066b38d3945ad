"""The training loss."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss
from torch import nn

from metseg.training.config import LossConfig


class SegmentationLoss(nn.Module):
    """Weighted sum of batch Dice (Milletari et al. 2016), focal (Lin et al. 2017) and binary cross-entropy.

    ``forward`` takes logits and targets in {0, 1}, both float (n, 1, height, width), and computes in fp32.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        terms: list[tuple[float, nn.Module]] = [
            (config.dice, DiceLoss(mode="binary", from_logits=True)),
            (config.focal, FocalLoss(mode="binary", gamma=config.gamma)),
            (config.bce, nn.BCEWithLogitsLoss()),
        ]
        self.weights = [weight for weight, _ in terms if weight]
        self.terms = nn.ModuleList(term for weight, term in terms if weight)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss, a scalar."""
        logits, targets = logits.float(), targets.float()
        weighted = [weight * term(logits, targets) for weight, term in zip(self.weights, self.terms, strict=True)]
        return torch.stack(weighted).sum()
