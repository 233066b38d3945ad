"""What each backend takes on this machine's CPU: time a slice, a patient from the shell, memory (not on Windows).

make bench, or python docs/scripts/measure_backends.py [NETWORK ...] [--repeats 7] [--tables memory] [--slices 1 100]

Prints tables in Markdown, and the machine that they are of. Backends take turns, so that other work hits all alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.inference import Backend
from metseg.inference.backend import ENVIRONMENT
from metseg.inference.onnx_backend import OnnxBackend
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.inference.torch_backend import TorchBackend
from metseg.study import write_tiff
from metseg.synthetic import synthetic_study

NETWORKS = ("metastases", "attention_unet", "nested_unet", "inception_unet", "best")
_SIDE = 256
_BATCHES = (1, 16)
#: Slices of the patient that is segmented from the shell, and of the studies whose memory is measured.
_SLICES = 20
_DEPTHS = (1, 100, 1000, 10_000)
_BACKENDS = ("openvino", "onnx", "torch")

#: Runs a command and prints its seconds, its seconds of processor time and its largest size in MB. In an interpreter
#: of its own: a process' largest size begins with that of the process that started it.
_RUN = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
#: Segments the slices of a file, repeated until there are so many; without a network, only has them.
_SEGMENT = """
import sys, numpy
file, count, network = sys.argv[1], int(sys.argv[2]), sys.argv[3]
head = numpy.load(file)
voxels = numpy.empty((len(head), count, *head.shape[2:]), head.dtype)
for z in range(count):
    voxels[:, z] = head[:, z % head.shape[1]]
if network:
    import metseg
    names = ("pre-contrast", "flair", "post-contrast")
    metseg.segment(voxels, sequences=names, model=network, device="cpu")
"""


def milliseconds(backends: list[Backend], batch: np.ndarray, repeats: int) -> list[float]:
    """Median over repeats of the time that one slice of ``batch`` takes with each backend."""
    taken: list[list[float]] = [[] for _ in backends]
    for backend in backends:
        backend.probabilities(batch)
    for _ in range(repeats):
        for backend, times in zip(backends, taken, strict=True):
            start = time.perf_counter()
            backend.probabilities(batch)
            times.append((time.perf_counter() - start) / len(batch) * 1000)
    return [statistics.median(times) for times in taken]


def slice_rows(checkpoint: Checkpoint, repeats: int) -> list[str]:
    """Rows of the first table about one network."""
    backends: list[Backend] = [
        TorchBackend(checkpoint, "cpu", full_precision=True),
        TorchBackend(checkpoint, "cpu"),
        OnnxBackend(checkpoint, "cpu"),
        OpenVinoBackend(checkpoint, "cpu"),
    ]
    precisions = [backend.name.rpartition(" ")[2] for backend in backends]
    rows = []
    for count in _BATCHES:
        shape = (count, checkpoint.card.preprocessing.channels, _SIDE, _SIDE)
        took = milliseconds(backends, np.random.default_rng(0).random(shape, np.float32), repeats)
        cells = " | ".join(f"{one:.1f} {precision}" for one, precision in zip(took, precisions, strict=True))
        rows.append(f"| `{checkpoint.card.name}` | {count} | {cells} | {took[0] / took[-1]:.1f} |")
    return rows


def write_patient(folder: Path) -> Path:
    """A synthetic patient as a folder of TIFFs."""
    study = synthetic_study(0, slices=_SLICES, size=_SIDE)
    folder.mkdir()
    for z in range(_SLICES):
        write_tiff(folder / f"{folder.name}_{z + 1}.tif", np.ascontiguousarray(study.voxels[:, z].transpose(1, 2, 0)))
    return folder


def run_alone(command: list[str], backend: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and largest size in MB of ``command`` with a backend."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _RUN, *command],
        env={**os.environ, ENVIRONMENT: backend},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    wall, processor, size = map(float, done.stdout.split())
    return wall, processor, size


def patient_row(network: str, backend: str, patient: Path) -> str:
    """A row of the second table: the second run, after the network was converted."""
    command = [sys.executable, "-m", "metseg.cli", "predict", "--model", network, "--device", "cpu"]
    for run in ("first", "second"):
        output = patient.parent / f"{network}-{backend}-{run}"
        wall, processor, _ = run_alone([*command, "--input", str(patient), "--output", str(output)], backend)
    return f"| `{network}` | {backend} | {wall:.1f} | {processor:.1f} |"


def memory_row(network: str, backend: str, depths: list[int], head: Path) -> str:
    """A row of the third table: a process that only segments one study, or without a network only has it."""

    def size(depth: int) -> float:
        return run_alone([sys.executable, "-c", _SEGMENT, str(head), str(depth), network], backend)[2]

    if network:
        size(1)  # converts the network
    cells = " | ".join(f"{size(depth):,.0f}" for depth in depths)
    return f"| {f'`{network}`' if network else 'only the study'} | {backend if network else ''} | {cells} |"


def main() -> None:
    """Measure the networks that are named, or those that are shipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--tables", nargs="+", choices=("slices", "patient", "memory"), default=("slices", "patient", "memory")
    )
    parser.add_argument(
        "--slices", nargs="+", type=int, default=_DEPTHS, help="of the studies whose memory is measured"
    )
    parser.add_argument("--backends", nargs="+", default=_BACKENDS, help="of the second and third table")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads, load of "
        f"other work {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; slices of {_SIDE} x {_SIDE}"
    )
    if "slices" in arguments.tables:
        title(
            "network",
            "slices at once",
            "PyTorch fp32, ms a slice",
            "PyTorch",
            "ONNX Runtime",
            "OpenVINO",
            "fp32 / OpenVINO",
        )
        for network in arguments.networks:
            print(*slice_rows(load_checkpoint(network), arguments.repeats), sep="\n", flush=True)
    if "patient" in arguments.tables:
        title(f"`metseg predict`, {_SLICES} slices", "backend", "s", "s of processor time")
        with tempfile.TemporaryDirectory() as folder:
            patient = write_patient(Path(folder) / "patient")
            for network in arguments.networks:
                for backend in arguments.backends:
                    print(patient_row(network, backend, patient), flush=True)
    if "memory" in arguments.tables:
        title("largest size in MB, by slices of the study", "backend", *(f"{depth:,}" for depth in arguments.slices))
        with tempfile.TemporaryDirectory() as folder:
            head = Path(folder) / "head.npy"
            np.save(head, synthetic_study(0, slices=8, size=_SIDE).voxels)
            print(memory_row("", "torch", arguments.slices, head), flush=True)
            for network in arguments.networks:
                for backend in arguments.backends:
                    print(memory_row(network, backend, arguments.slices, head), flush=True)


def title(*titles: str) -> None:
    """Print the head of a table."""
    print(f"\n| {' | '.join(titles)} |\n|{' --- |' * len(titles)}", flush=True)


if __name__ == "__main__":
    main()
