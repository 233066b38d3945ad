"""The state of a run: network, average, optimiser, schedule, history; saved after every epoch."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from metseg.checkpoints import Checkpoint
from metseg.errors import DataError
from metseg.events import Progress, StepFinished
from metseg.inference.devices import autocast_dtype
from metseg.networks import SegmentationNetwork, build_network, set_prior
from metseg.study import write_atomically
from metseg.training.augmentation import Pair
from metseg.training.config import TrainingConfig
from metseg.training.dataset import EpochPlan, Example, TrainingSlices
from metseg.training.distributed import ALONE, Processes
from metseg.training.losses import SegmentationLoss
from metseg.training.prepared import PreparedStudy
from metseg.training.transfer import transfer

Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]

_LARGEST_GRADIENT = 1.0


class Trainer:
    """Trains one network; everything that must survive an interruption is in :meth:`save` and :meth:`restore`.

    Parameters
    ----------
    parent : Checkpoint, optional
        Weights to start from; needed for a first start with ``config.init`` only, since a saved state has its own.
    processes : Processes
        Who shares the steps; the others make a trainer of the same arguments, but for the device.

    Attributes
    ----------
    epoch, step : int
        Epochs done, and steps done of the next one.
    history : list of dict
        One row per epoch.
    pending : dict or None
        The row of an epoch that was trained but is not yet measured and in ``history``.
    parent : str or None
        sha256 of the weights the training started from.
    seen_by_parent : tuple of str
        Patients that these weights were trained on.
    licence : str
        Of the weights that come out: as configured, else the parent's, else ``unknown``.
    transferred : str
        What was taken from the parent, for the user.
    """

    def __init__(
        self,
        config: TrainingConfig,
        studies: list[PreparedStudy],
        device: str,
        parent: Checkpoint | None = None,
        processes: Processes = ALONE,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.processes = processes
        self.parent = parent.sha256 if parent else None
        self.seen_by_parent = parent.card.training.patients if parent else ()
        self.licence = config.licence or (parent.card.licence if parent else "unknown")
        self.transferred = ""
        self.epoch = self.step = 0
        self._loss_so_far = self._seconds_so_far = 0.0
        self.best = -math.inf
        self.history: list[dict[str, float]] = []
        self.pending: dict[str, float] | None = None
        self._plan = EpochPlan(studies, config)
        self._slices = TrainingSlices(studies, config)
        first_weights = "none" if config.init is not None else config.first_weights
        self._network = build_network(config.network, encoder_weights=first_weights)
        if config.init is None:
            set_prior(self._network)
        if parent is not None:
            taken = transfer(self._network, parent, config.preprocessing.sequences)
            self.transferred = taken.describe(parent.card.name)
        self._network.to(device).to(memory_format=torch.channels_last)
        self._average = moving_average(self._network, config.ema)
        processes.normalise_together(self._network, device)
        self._loss = SegmentationLoss(config.loss)
        self._optimiser = _optimiser(self._network, config)
        self._schedule = LambdaLR(self._optimiser, _warmup_cosine(self._plan.steps * config.epochs, config.warmup))
        dtype = autocast_dtype(device)
        self._dtype = None if dtype == torch.float16 else dtype  # fp16 would need loss scaling
        if device == "cpu" and self._dtype is not None:
            _depthwise_in_full_precision(self._network)
        self._forward: Callable[[torch.Tensor], torch.Tensor] = (
            torch.compile(self._network) if config.compile else self._network
        )

    @property
    def averaged(self) -> SegmentationNetwork:
        """The network whose weights are the moving average, in evaluation mode."""
        network = self._average.module
        if not isinstance(network, SegmentationNetwork):
            raise TypeError(type(network))
        return network.eval()

    def run_epoch(self) -> Generator[StepFinished, None, None]:
        """Train the rest of an epoch, yielding after every step; afterwards the epoch's row is ``pending``."""
        started = time.monotonic() - self._seconds_so_far
        batches = self._plan.batches(self.epoch)
        if self.step == 0:
            torch.manual_seed(self.config.seed * 100_003 + self.epoch)
        self._set_training_mode()
        parts = [self.processes.part(batch) for batch in batches[self.step :]]
        for images, masks in self._loader(parts):
            loss = self._step(images, masks)
            self.step += 1
            self._loss_so_far += loss
            self._seconds_so_far = time.monotonic() - started
            if not math.isfinite(loss):
                raise DataError(f"the loss became {loss} in epoch {self.epoch + 1}; try a smaller learning rate")
            what = f"epoch {self.epoch + 1} of {self.config.epochs}, loss {self._loss_so_far / self.step:.3f}"
            done, total = self.epoch * len(batches) + self.step, self.config.epochs * len(batches)
            yield StepFinished(done, total, what, loss)
        self.pending = {
            "epoch": self.epoch + 1,
            "loss": self._loss_so_far / len(batches),
            "learning_rate": float(self._schedule.get_last_lr()[0]),
            "seconds": time.monotonic() - started,
            "examples": sum(map(len, batches)),
        }
        self.epoch, self.step = self.epoch + 1, 0
        self._loss_so_far = self._seconds_so_far = 0.0

    def _loader(self, batches: list[list[Example]]) -> DataLoader[Pair]:
        workers = 0 if self.device == "cpu" else 8
        drawn_from = torch.Generator().manual_seed(0)  # else the loader would draw from the network's own randomness
        return DataLoader(
            self._slices,
            batch_sampler=batches,
            num_workers=workers,
            pin_memory=workers > 0,
            worker_init_fn=_leave_process_group,
            generator=drawn_from,
        )

    def _set_training_mode(self) -> None:
        """Everything learns, or all but the encoder, whose normalisation then keeps its statistics too."""
        frozen = self.epoch < self.config.freeze_encoder
        self._network.train()
        self._network.encoder.train(not frozen)
        self._network.encoder.requires_grad_(not frozen)

    def _step(self, images: torch.Tensor, masks: torch.Tensor) -> float:
        images, masks = images.to(self.device, non_blocking=True), masks.to(self.device, non_blocking=True)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.partition(":")[0], self._dtype, enabled=self._dtype is not None):
            logits = self._forward(images)
        loss = self._loss(*(self.processes.gather(tensor.flatten(0, -4)) for tensor in (logits.float(), masks)))
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.sum_gradients(self._network)
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()
        self._schedule.step()
        self._average.update_parameters(self._network)
        return float(loss.detach())

    def dice_at(
        self, studies: list[PreparedStudy], thresholds: list[float]
    ) -> Generator[Progress, None, dict[str, list[float]]]:
        """Volumetric Dice of the averaged network by patient, at each of the thresholds, on the network's grid."""
        network = self.averaged
        counts = {study.patient: np.zeros((2, len(thresholds)), np.int64) for study in studies}
        own = studies[self.processes.rank :: self.processes.count]
        for done, study in enumerate(own):
            yield Progress(done, len(own), f"validating {study.name}")
            overlaps = counts[study.patient]
            for start in range(0, len(study.masked), self.config.batch_size):
                part = list(study.masked[start : start + self.config.batch_size])
                probabilities = self._predict(network, study, part)
                truth = study.masks[part].astype(bool)
                for column, threshold in enumerate(thresholds):
                    predicted = probabilities >= threshold
                    overlaps[0, column] += 2 * int((predicted & truth).sum())
                    overlaps[1, column] += int(predicted.sum()) + int(truth.sum())
        everywhere = self.processes.collect(counts)
        totals = {name: np.sum([found[name] for found in everywhere], axis=0) for name in counts}
        return {
            name: [1.0 if union == 0 else float(twice / union) for twice, union in overlaps.T]
            for name, overlaps in totals.items()
        }

    def _predict(self, network: SegmentationNetwork, study: PreparedStudy, z: list[int]) -> npt.NDArray[np.float32]:
        """Probabilities on slices ``z``, ascending; a network that looks along z sees all around them."""
        margin = network.spec.margin
        seen = list(range(max(z[0] - margin, 0), min(z[-1] + margin + 1, len(study.channels)))) if margin else z
        images = np.stack([study.image(k) for k in seen])
        batch = torch.from_numpy(images).to(self.device, memory_format=torch.channels_last)
        kind = self.device.partition(":")[0]
        with torch.inference_mode(), torch.autocast(kind, self._dtype, enabled=self._dtype is not None):
            logits = network(batch)[np.searchsorted(seen, z).tolist(), 0]
        probabilities: npt.NDArray[np.float32] = logits.float().sigmoid().cpu().numpy()
        return probabilities

    def start_together(self, held_out: list[PreparedStudy]) -> None:
        """Take the first process's weights.

        DataError in all unless they train on the same from the same step on, and evaluate on the same.
        """
        images = [(study.name, study.fingerprint) for study in (*self._slices.studies, *held_out)]
        self.processes.check_same((self.config, images, self._plan.batches(self.epoch), self.epoch, self.step))
        self.processes.share(self._network)
        self.processes.share(self._average)

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        cuda = [torch.cuda.get_rng_state(self.device)] if self.device.startswith("cuda") else []
        state = {
            "config": self.config.model_dump_json(),
            "parent": self.parent,
            "seen_by_parent": list(self.seen_by_parent),
            "licence": self.licence,
            "epoch": self.epoch,
            "step": self.step,
            "so_far": [self._loss_so_far, self._seconds_so_far],
            "randomness": [torch.get_rng_state(), *cuda],
            "best": self.best,
            "history": self.history,
            "pending": self.pending,
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
        self.step, self.pending = state.get("step", 0), state.get("pending")
        self._loss_so_far, self._seconds_so_far = state.get("so_far", (0.0, 0.0))
        self.parent, self.seen_by_parent = state.get("parent"), tuple(state.get("seen_by_parent", ()))
        self.licence = state.get("licence", self.licence)
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        if "randomness" in state:  # of the processor, and of the device
            processor, *cuda = state["randomness"]
            torch.set_rng_state(processor.cpu())
            if cuda and self.device.startswith("cuda"):
                torch.cuda.set_rng_state(cuda[0].cpu(), self.device)


def _leave_process_group(worker: int) -> None:
    """Keep a loading process from what is sent to the whole group: the training then ends after its step."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()


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


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``network`` whose weights and normalisation statistics follow it with ``decay`` per step.

    The decay rises from 0.1 to its value over the first steps (``(1 + n) / (10 + n)``), so that short runs are
    not dominated by the random start.
    """

    @torch.no_grad()
    def update(average: Tensors, current: Tensors, steps: torch.Tensor | int) -> None:
        weight = 1 - min(decay, (1 + int(steps)) / (10 + int(steps)))
        for kept, new in zip(average, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, weight)
            else:
                kept.copy_(new)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


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
