"""Every check of a GPU: right answers, too little memory, speed and its share of the peak, one patient, training.

benchmarks/gpu.sh [NETWORK ...] [--device cuda] [--small]

Prints one table in Markdown; the exit status is 1 if an answer is wrong. --small takes seconds on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from measure_backends import measured_peak, milliseconds
from torch.utils.flop_counter import FlopCounterMode

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.events import Notice, drain
from metseg.inference import Segmentation, Segmenter, resolve_device
from metseg.inference.devices import autocast_dtype
from metseg.inference.torch_backend import TorchBackend
from metseg.metrics import overlap
from metseg.synthetic import synthetic_study
from metseg.training.config import TrainingConfig
from metseg.training.dataset import prepare
from metseg.training.trainer import Trainer

NETWORKS = ("attention_unet", "metastases", "best")
#: Least Dice of a device's mask with that of the CPU in fp32.
_LEAST_DICE = 0.95
#: Slices of a patient; of one whose batch does not fit; channels in fp32 of such a batch that memory is left for.
_PATIENT, _MANY, _ROOM = 30, 128, 32


@dataclass(frozen=True)
class Size:
    """How much is measured: sizes of batches, repeats, side of the matrices, steps and crops of a training."""

    batches: tuple[int, ...] = (1, 16, 64)
    repeats: int = 7
    matrix: int = 8192
    steps: int = 30
    crop: int = 192


SMALL = Size(batches=(1, 4), repeats=2, matrix=512, steps=4, crop=64)


@contextmanager
def little_memory(device: str, room: int) -> Iterator[None]:
    """Let this process take ``room`` bytes more on ``device`` than it has now: CUDA, or a CPU under Linux."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        share = (torch.cuda.memory_reserved(device) + room) / torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(share, device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def side_of(checkpoint: Checkpoint) -> int:
    """Side of the slices that the network is shown."""
    return checkpoint.card.preprocessing.size or 256


def correctness(checkpoint: Checkpoint, device: str) -> tuple[str, bool]:
    """The mask of a synthetic head on the device against that of the CPU in fp32."""
    study = synthetic_study(0, slices=16, size=side_of(checkpoint))
    with Segmenter(checkpoint, device="cpu", backend=in_full_precision) as segmenter:
        expected = segmenter.segment(study)
    with Segmenter(checkpoint, device=device, backend=TorchBackend) as segmenter:
        found = segmenter.segment(study)
    dice = overlap(expected.mask > 0, found.mask > 0).dice
    apart = float(np.abs(expected.probabilities - found.probabilities).mean())
    return (
        f"{found.backend}: Dice {dice:.4f} with the CPU in fp32, probabilities {apart:.5f} apart",
        dice >= _LEAST_DICE,
    )


def in_full_precision(checkpoint: Checkpoint, device: str) -> TorchBackend:
    """PyTorch in fp32."""
    return TorchBackend(checkpoint, device, full_precision=True)


def retreat(checkpoint: Checkpoint, device: str) -> tuple[str, bool]:
    """What becomes of a batch that does not fit: a smaller one, and the same mask."""
    study = synthetic_study(0, slices=_MANY, size=side_of(checkpoint))
    said: list[str] = []
    with Segmenter(checkpoint, device=device, backend=TorchBackend) as segmenter:
        expected = segmenter.segment(study)  # loads the network, too
        segmenter.batch_size = _MANY
        with little_memory(device, _ROOM * _MANY * side_of(checkpoint) ** 2 * 4):
            found: Segmentation = drain(
                segmenter.stream(study), lambda event: said.append(event.text) if isinstance(event, Notice) else None
            )
    dice = overlap(expected.mask > 0, found.mask > 0).dice
    heard = [text for text in said if "out of memory" in text]
    text = f"{len(heard)} times, then {segmenter.batch_size} slices at once on {found.device}: Dice {dice:.4f}"
    return text, bool(heard) and dice >= _LEAST_DICE


def speed(checkpoint: Checkpoint, device: str, size: Size, peak: float) -> Iterator[tuple[str, str]]:
    """Slices a second and the share of the measured peak, for each size of batch."""
    backend = TorchBackend(checkpoint, device)
    shape = (1, checkpoint.card.preprocessing.channels, *[side_of(checkpoint)] * 2)
    one = np.random.default_rng(0).random(shape, np.float32)
    with FlopCounterMode(display=False) as counter:
        backend.probabilities(one)
    for count in size.batches:
        (took,) = milliseconds([backend.probabilities], np.repeat(one, count, axis=0), size.repeats)
        share = counter.get_total_flops() * 1000 / took.median / peak
        yield f"slices a second, {count} at once", f"{1000 / took.median:,.0f}, {share:.0%} of the peak"
    backend.close()


def patient(checkpoint: Checkpoint, device: str) -> str:
    """Seconds of a whole study, after the network was loaded."""
    study = synthetic_study(1, slices=_PATIENT, size=side_of(checkpoint))
    with Segmenter(checkpoint, device=device, backend=TorchBackend) as segmenter:
        segmenter.segment(study)
        start = time.perf_counter()
        segmenter.segment(study)
        return f"{time.perf_counter() - start:.2f} s"


def training(device: str, size: Size) -> str:
    """Median time of a step after the first three, and slices a second."""
    config = TrainingConfig(
        architecture="attention_unet", encoder_weights="none", crop=size.crop, steps_per_epoch=size.steps, epochs=1
    )
    head = prepare(synthetic_study(2, slices=16, size=size.crop), config.preprocessing)
    if head is None:
        raise RuntimeError("the synthetic head has no lesion")
    times = [time.perf_counter()]
    for _ in Trainer(config, [head], device).run_epoch():
        times.append(time.perf_counter())
    step = statistics.median(np.diff(times)[3:])
    return f"{step * 1000:,.0f} ms a step of {config.batch_size}, {config.batch_size / step:,.0f} slices a second"


def main() -> None:
    """Run every check on the networks that are named, or on those that are shipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device, size = resolve_device(arguments.device), SMALL if arguments.small else Size()
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    wrong: list[str] = []

    def show(about: str, check: str, result: str, is_right: bool = True) -> None:
        print(f"| {about} | {check} | {result}{'' if is_right else ' **WRONG**'} |", flush=True)
        wrong.extend([check] * (not is_right))

    print(f"| {name} | check | result |\n| --- | --- | --- |", flush=True)
    peak = measured_peak(device, size.matrix, autocast_dtype(device) or torch.float32)
    show("device", f"peak: product of {size.matrix} x {size.matrix} matrices", f"{peak / 1e12:.2f} TFLOP/s")
    for checkpoint in map(load_checkpoint, arguments.networks):
        about = f"`{checkpoint.card.name}`, {side_of(checkpoint)} x {side_of(checkpoint)}"
        show(about, "right answers", *correctness(checkpoint, device))
        show(about, "out of memory", *retreat(checkpoint, device))
        for check, result in speed(checkpoint, device, size, peak):
            show(about, check, result)
        show(about, f"a patient of {_PATIENT} slices, network loaded", patient(checkpoint, device))
    show("`attention_unet`", f"training, crops of {size.crop}", training(device, size))
    if wrong:
        raise SystemExit(f"wrong: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
