"""The command line, training in fp64, where the order of a sum decides nothing that is seen.

After METSEG_STOP_AFTER steps the last process is killed, or a training that is alone is sent SIGTERM, and one under
torchrun has torchrun sent it, and goes on when that has reached this process.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from itertools import count
from typing import Any

import torch

from metseg.cli.app import main
from metseg.events import StepFinished
from metseg.training import fit, trainer

STOP_AFTER = int(os.environ.get("METSEG_STOP_AFTER", "0"))
KILLED = "METSEG_KILLED" in os.environ
ALONE = "WORLD_SIZE" not in os.environ
LAST = ALONE or int(os.environ["RANK"]) + 1 == int(os.environ["WORLD_SIZE"])


class WideTrainer(trainer.Trainer):
    """Trains in fp64, and stops."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        for network in (self._network, self._average.module):
            network.double().register_forward_pre_hook(lambda _, images: (images[0].double(),))

    def _step(self, images: torch.Tensor, masks: torch.Tensor) -> float:
        usual, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double  # type: ignore[method-assign]
        try:
            return super()._step(images, masks)
        finally:
            torch.Tensor.float = usual  # type: ignore[method-assign]

    def run_epoch(self) -> Iterator[StepFinished]:  # type: ignore[override]
        for event in super().run_epoch():
            if next(steps) == STOP_AFTER and LAST:
                stop()
            yield event


def stop() -> None:
    if KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno())
    os.kill(os.getpid() if ALONE else os.getppid(), signal.SIGTERM)
    ours.recv(1)


steps = count(1)
trainer.autocast_dtype = lambda device: None
fit.Trainer = WideTrainer  # type: ignore[misc]
main()
