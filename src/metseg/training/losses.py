"""The training loss."""

from __future__ import annotations

import cv2
import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss
from torch import nn

from metseg.training.config import LossConfig

#: Value of a mask where it is not known whether there is lesion.
UNKNOWN = 255
#: Logit that gives a voxel without lesion no loss.
_SURELY_HEALTHY = -30.0


class LesionDiceLoss(nn.Module):
    """One minus the Dice of each lesion of each slice, averaged (blob loss, Kofler et al. 2023, arXiv 2205.08209).

    A lesion is an 8-connected component of a slice; the voxels of the slice's other lesions do not count for it.
    """

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss, a scalar, 0 without a lesion; logits and targets in {0, 1}, float (n, 1, height, width)."""
        probabilities = logits.sigmoid()
        losses = [probabilities.new_zeros(())]
        for plane, target in zip(probabilities[:, 0], targets[:, 0], strict=True):
            count, labels = cv2.connectedComponents(target.to("cpu", torch.uint8).numpy(), connectivity=8)
            numbered = torch.from_numpy(labels).to(plane.device)
            for lesion in range(1, count):
                inside = (numbered == lesion).float()
                counted = inside + (numbered == 0)
                losses.append(1 - 2 * (plane * inside).sum() / ((plane * counted).sum() + inside.sum()))
        return torch.stack(losses).sum() / max(len(losses) - 1, 1)


class SegmentationLoss(nn.Module):
    """Weighted sum of batch Dice (Milletari et al. 2016), focal loss (Lin et al. 2017), binary cross-entropy and
    Dice by lesion (blob loss, Kofler et al. 2023).

    ``forward`` takes logits and targets, both (n, 1, height, width), and computes in fp32. Targets are 0, 1, or
    :data:`UNKNOWN` where nothing is to be learnt.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        terms: list[tuple[float, nn.Module]] = [
            (config.dice, DiceLoss(mode="binary", from_logits=True)),
            (config.focal, FocalLoss(mode="binary", gamma=config.gamma)),
            (config.bce, nn.BCEWithLogitsLoss()),
            (config.lesion_dice, LesionDiceLoss()),
        ]
        self.weights = [weight for weight, _ in terms if weight]
        self.terms = nn.ModuleList(term for weight, term in terms if weight)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss, a scalar."""
        known = targets != UNKNOWN
        logits, targets = torch.where(known, logits.float(), _SURELY_HEALTHY), (targets * known).float()
        weighted = [weight * term(logits, targets) for weight, term in zip(self.weights, self.terms, strict=True)]
        return torch.stack(weighted).sum()
