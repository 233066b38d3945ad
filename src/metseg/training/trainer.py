"""The state of a run: network, average, optimiser, schedule, history; saved after every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from metseg.errors import DataError
from metseg.events import Progress
from metseg.inference.devices import autocast_dtype
from metseg.networks import SegmentationNetwork, build_network
from metseg.study import write_atomically
from metseg.training.config import TrainingConfig
from metseg.training.dataset import EpochPlan, PreparedStudy, TrainingSlices
from metseg.training.ema import moving_average
from metseg.training.losses import SegmentationLoss

_LARGEST_GRADIENT = 1.0


class Trainer:
    """Trains one network; everything that must survive an interruption is in :meth:`save` and :meth:`restore`.

    Parameters
    ----------
    config : TrainingConfig
        The run.
    studies : list of PreparedStudy
        Training patients.
    device : str
        A resolved device name.
    """

    def __init__(self, config: TrainingConfig, studies: list[PreparedStudy], device: str) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.epoch = 0
        self.best = -math.inf
        self.history: list[dict[str, float]] = []
        self._plan = EpochPlan(studies, config)
        self._slices = TrainingSlices(studies, config)
        self._network = build_network(config.network, encoder_weights=config.first_weights)
        self._network.to(device).to(memory_format=torch.channels_last)
        self._average = moving_average(self._network, config.ema)
        self._loss = SegmentationLoss(config.loss)
        self._optimiser = _optimiser(self._network, config)
        self._schedule = LambdaLR(self._optimiser, _warmup_cosine(self._plan.steps * config.epochs, config.warmup))
        dtype = autocast_dtype(device)
        self._dtype = None if dtype == torch.float16 else dtype  # fp16 would need loss scaling
        if device == "cpu" and self._dtype is not None:
            _depthwise_in_full_precision(self._network)

    @property
    def averaged(self) -> SegmentationNetwork:
        """The network whose weights are the moving average, in evaluation mode."""
        network = self._average.module
        if not isinstance(network, SegmentationNetwork):
            raise TypeError(type(network))
        return network.eval()

    def run_epoch(self) -> Generator[Progress, None, dict[str, float]]:
        """Train one epoch, yielding after every step; returns the epoch's row of the log."""
        started = time.monotonic()
        batches = self._plan.batches(self.epoch)
        torch.manual_seed(self.config.seed * 100_003 + self.epoch)
        workers = 0 if self.device == "cpu" else 8
        loader = DataLoader(self._slices, batch_sampler=batches, num_workers=workers, pin_memory=workers > 0)
        self._network.train()
        total = 0.0
        for step, (images, masks) in enumerate(loader):
            total += self._step(images, masks)
            if not math.isfinite(total):
                raise DataError(f"the loss became {total} in epoch {self.epoch + 1}; try a smaller learning rate")
            what = f"epoch {self.epoch + 1} of {self.config.epochs}, loss {total / (step + 1):.3f}"
            yield Progress(self.epoch * len(batches) + step + 1, self.config.epochs * len(batches), what)
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "loss": total / len(batches),
            "learning_rate": float(self._schedule.get_last_lr()[0]),
            "seconds": time.monotonic() - started,
        }

    def _step(self, images: torch.Tensor, masks: torch.Tensor) -> float:
        images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        masks = masks.to(self.device, non_blocking=True)
        with torch.autocast(self.device.partition(":")[0], self._dtype, enabled=self._dtype is not None):
            logits = self._network(images)
        loss = self._loss(logits, masks)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()
        self._schedule.step()
        self._average.update_parameters(self._network)
        return float(loss.detach())

    def validate(self, studies: list[PreparedStudy]) -> Generator[Progress, None, list[float]]:
        """Volumetric Dice of the averaged network per patient, on the network's grid at threshold 0.5."""
        network = self.averaged
        counts: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        for done, study in enumerate(studies):
            yield Progress(done, len(studies), f"validating {study.name}")
            overlap = counts.setdefault(study.name, np.zeros(2, np.int64))
            for start in range(0, len(study.masked), self.config.batch_size):
                part = study.masked[start : start + self.config.batch_size]
                predicted = self._predict(network, np.stack([study.image(z) for z in part]))
                truth = study.masks[list(part)].astype(bool)
                overlap += (2 * int((predicted & truth).sum()), int(predicted.sum()) + int(truth.sum()))
        return [1.0 if union == 0 else float(twice / union) for twice, union in counts.values()]

    def _predict(
        self, network: SegmentationNetwork, images: np.ndarray[Any, np.dtype[np.float32]]
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        batch = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
        kind = self.device.partition(":")[0]
        with torch.inference_mode(), torch.autocast(kind, self._dtype, enabled=self._dtype is not None):
            lesion: np.ndarray[Any, np.dtype[np.bool_]] = (network(batch)[:, 0] > 0).cpu().numpy()
        return lesion

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        state = {
            "config": self.config.model_dump_json(),
            "epoch": self.epoch,
            "best": self.best,
            "history": self.history,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        with write_atomically(path) as temporary:
            torch.save(state, temporary)

    def restore(self, path: Path) -> None:
        """Continue from a saved state.

        Raises
        ------
        DataError
            If the state belongs to another configuration; the message names what differs.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        before = TrainingConfig.model_validate_json(state["config"]).model_dump()
        now = self.config.model_dump()
        if differing := [key for key in now if now[key] != before[key]]:
            raise DataError(
                f"{path} was made with other settings ({', '.join(differing)}); repeat the first command with "
                "--resume, or choose another --out"
            )
        self.epoch, self.best, self.history = state["epoch"], state["best"], state["history"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])


def _depthwise_in_full_precision(network: nn.Module) -> None:
    """Keep depthwise convolutions out of autocast: oneDNN's bf16 backward pass is up to 20 times slower than fp32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = _full_precision(module.forward)  # type: ignore[assignment,method-assign]


def _full_precision(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def call(features: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            return forward(features.float())

    return call


def _optimiser(network: SegmentationNetwork, config: TrainingConfig) -> torch.optim.AdamW:
    encoder = list(network.encoder.parameters())
    known = {id(parameter) for parameter in encoder}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in known]
    groups = [{"params": rest, "lr": config.learning_rate}, {"params": encoder, "lr": config.encoder_learning_rate}]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay)


def _warmup_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate at a step: linear rise over the ``warmup`` share, then half a cosine to 0."""
    rise = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return factor
