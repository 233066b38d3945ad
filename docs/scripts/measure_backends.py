"""Milliseconds a slice takes with each backend on this machine's CPU, and how far their masks are apart.

python docs/scripts/measure_backends.py [NETWORK ...]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from metseg.checkpoints import load_checkpoint
from metseg.inference import Backend
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.inference.torch_backend import TorchBackend

_SIDE = 256
_REPEATS = 7


def milliseconds(run: Callable[[np.ndarray], object], batch: np.ndarray) -> float:
    """Median over repeats of the time that one slice of ``batch`` takes."""
    run(batch)
    taken = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run(batch)
        taken.append((time.perf_counter() - start) / len(batch) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Measure the networks that are named, or those that are shipped."""
    names = sys.argv[1:] or ["metastases", "attention_unet", "nested_unet", "inception_unet", "best"]
    print(f"{torch.get_num_threads()} threads, slices of {_SIDE} x {_SIDE}")
    print("| network | slices at once | PyTorch fp32 | PyTorch | OpenVINO | fp32 / OpenVINO |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        checkpoint = load_checkpoint(name)
        backends: list[Backend] = [
            TorchBackend(checkpoint, "cpu", full_precision=True),
            TorchBackend(checkpoint, "cpu"),
            OpenVinoBackend(checkpoint, "cpu"),
        ]
        for count in (1, 16):
            shape = (count, checkpoint.card.preprocessing.channels, _SIDE, _SIDE)
            batch = np.random.default_rng(0).random(shape, np.float32)
            took = [milliseconds(backend.probabilities, batch) for backend in backends]
            cells = " | ".join(f"{one:.1f}" for one in took)
            print(f"| `{name}` | {count} | {cells} | {took[0] / took[-1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
