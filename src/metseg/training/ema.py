"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``network`` whose weights and normalisation statistics follow it with ``decay`` per step.

    The decay rises from 0.1 to its value over the first steps (``(1 + n) / (10 + n)``), so that short runs are
    not dominated by the random start.
    """
    return AveragedModel(network, multi_avg_fn=_ramped(decay), use_buffers=True)


def _ramped(decay: float) -> Callable[[Tensors, Tensors, torch.Tensor | int], None]:
    @torch.no_grad()
    def update(average: Tensors, current: Tensors, steps: torch.Tensor | int) -> None:
        weight = 1 - min(decay, (1 + int(steps)) / (10 + int(steps)))
        for kept, new in zip(average, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, weight)
            else:
                kept.copy_(new)

    return update
