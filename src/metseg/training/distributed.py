"""One training shared by several processes, as ``torchrun`` starts them, with the steps of one process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from metseg.errors import DataError, MetsegError
from metseg.events import EpochFinished, Event, StepFinished
from metseg.inference import available_devices

T = TypeVar("T")

#: How long a process waits for the others, which may still be reading images.
_LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that share a training, and which of them this is; by default the only one.

    Each computes its part of every batch and then takes the same step as the others. What communicates has to be
    called by all of them, in the same order.

    Attributes
    ----------
    rank, count : int
        Number of this process, from 0, and how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    @property
    def command(self) -> list[str]:
        """The words before the options, with which this program was started."""
        if self.count == 1:
            return ["metseg"]
        machines, here = os.environ["GROUP_WORLD_SIZE"], os.environ["LOCAL_WORLD_SIZE"]
        return ["torchrun", "--nnodes", machines, "--nproc-per-node", here, "-m", "metseg.cli"]

    def part(self, batch: list[T]) -> list[T]:
        """This process's examples of a batch, whose size is a multiple of the number of processes."""
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def collect(self, value: T) -> list[T]:
        """The ``value`` of every process, in order."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def check_same(self, value: object) -> None:
        """Raise DataError in every process if ``value`` is represented differently in one of them."""
        found = self.collect(hashlib.sha256(repr(value).encode()).hexdigest())
        if odd := [str(rank) for rank, digest in enumerate(found) if digest != found[0]]:
            raise DataError(
                f"process {', '.join(odd)} of {self.count} has other settings, images or a state other than process 0; "
                "--data and --out must be the same folders, and the command the same, on every machine"
            )

    def agreed_signal(self, event: Event[Any], number: int) -> int:
        """The signal to end on after ``event``, the same in all processes; 0 to go on.

        Several processes end together after a step or an epoch if one of them was sent a signal.

        Parameters
        ----------
        number : int
            The signal that this process was sent, or 0.
        """
        if self.count == 1 or not dist.is_initialized():
            return number
        return max(self.collect(number)) if isinstance(event, StepFinished | EpochFinished) else 0

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """The ``tensor`` of every process, along the first axis; gradients go back to this process's alone."""
        if self.count == 1:
            return tensor
        sent = tensor.detach().contiguous()
        parts = [torch.empty_like(sent) for _ in range(self.count)]
        dist.all_gather(parts, sent)
        parts[self.rank] = tensor
        return torch.cat(parts)

    def normalise_together(self, network: nn.Module, device: str) -> None:
        """Let batch normalisation take the statistics of the whole batch, of all processes, in training mode."""
        if self.count == 1:
            return
        if device.startswith("cuda"):
            convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
            return
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.forward = _normalisation(module, self.count)  # type: ignore[assignment,method-assign]

    def share(self, network: nn.Module) -> None:
        """Give every process the weights and statistics of the first."""
        if self.count > 1:
            for tensor in network.state_dict().values():
                sent = tensor.contiguous()
                dist.broadcast(sent, 0)
                tensor.copy_(sent)

    def sum_gradients(self, network: nn.Module) -> None:
        """Give every parameter the sum of its gradients in all processes."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        total = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(total)
        parts = torch.split(total, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def leave(self) -> None:
        """End the communication once all have come here: ``torchrun`` ends the others when one ends with an error."""
        if self.count > 1 and dist.is_initialized():
            self.collect(None)
            dist.destroy_process_group()


#: A training in one process.
ALONE = Processes()


def join_processes(device: str) -> tuple[Processes, str]:
    """Take part in the training that ``torchrun`` started this process for; alone if it did not.

    Parameters
    ----------
    device : str
        ``auto``, ``cuda`` or ``cpu`` for several processes, else anything.

    Returns
    -------
    tuple of Processes and str
        The processes, and the device of this one: a card of its own, or the CPU. Alone it stays as it came.

    Raises
    ------
    MetsegError
        If there are fewer cards than processes on this machine.
    """
    count = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if count == 1:
        return ALONE, device
    own = _own_device(device)
    if own == "cpu":
        dist.init_process_group("gloo", timeout=_LONGEST_WAIT)
    else:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=_LONGEST_WAIT)
    return Processes(dist.get_rank(), count), own


def _own_device(wanted: str) -> str:
    """The card with the number of this process on its machine; the CPU if it is wanted, or there is no card."""
    rank, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if wanted not in ("auto", "cuda", "cpu"):
        raise MetsegError(f"several processes train on cuda or cpu, one card each; {wanted!r} is neither")
    cards = [name for name in available_devices() if name.startswith("cuda")]
    if wanted == "cpu" or (wanted == "auto" and not cards):
        return "cpu"
    if here > len(cards):
        raise MetsegError(
            f"{here} processes on this machine need a card each, and there are {len(cards)}; start as many "
            "processes as cards, or add --device cpu"
        )
    return cards[rank]


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, whose gradient is summed over all processes as well."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _normalisation(module: _BatchNorm, count: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """What ``module`` computes, in training over the batch of all ``count`` processes.

    :class:`torch.nn.SyncBatchNorm` is for cards only.
    """
    alone = module.forward

    def forward(features: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return alone(features)
        wide = features.float()
        axes = (0, *range(2, wide.ndim))
        number = count * wide[:, 0].numel()
        mean = _Sum.apply(wide.sum(axes, keepdim=True)) / number
        centred = wide - mean
        variance = _Sum.apply(centred.square().sum(axes, keepdim=True)) / number
        _follow(module, mean.flatten(), variance.flatten() * (number / (number - 1)))
        scale = module.weight.view_as(mean) * (variance + module.eps).rsqrt()
        normalised: torch.Tensor = (centred * scale + module.bias.view_as(mean)).to(features.dtype)
        if isinstance(module, BatchNormAct2d):
            normalised = module.act(module.drop(normalised))
        return normalised

    return forward


@torch.no_grad()
def _follow(module: _BatchNorm, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Move the running statistics of ``module`` towards those of a batch, (channels,) each."""
    momentum = module.momentum
    if module.running_mean is not None and module.running_var is not None and momentum is not None:
        module.running_mean.lerp_(mean, momentum)
        module.running_var.lerp_(variance, momentum)
    if module.num_batches_tracked is not None:
        module.num_batches_tracked.add_(1)
