"""What each backend takes on this machine's CPU: milliseconds a slice, and a patient from the shell (not on Windows).

make bench, or python docs/scripts/measure_backends.py [NETWORK ...] [--repeats 7]

Prints two tables in Markdown, and the machine that they are of. Backends take turns, so that other work hits all alike.
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
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.inference.torch_backend import TorchBackend
from metseg.study import write_tiff
from metseg.synthetic import synthetic_study

NETWORKS = ("metastases", "attention_unet", "nested_unet", "inception_unet", "best")
_SIDE = 256
_BATCHES = (1, 16)
#: Slices of the patient that is segmented from the shell.
_SLICES = 20


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


def patient_row(network: str, backend: str, patient: Path) -> str:
    """A row of the second table: the second run, after the network was converted."""
    for run in ("first", "second"):
        output = patient.parent / f"{network}-{backend}-{run}"
        command = [sys.executable, "-m", "metseg.cli", "predict", "--model", network, "--device", "cpu"]
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [*command, "--input", str(patient), "--output", str(output)],
            env={**os.environ, ENVIRONMENT: backend},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)  # its memory is not its own: a fork begins with its parent's
        wall = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
    return f"| `{network}` | {backend} | {wall:.1f} | {usage.ru_utime + usage.ru_stime:.1f} |"


def main() -> None:
    """Measure the networks that are named, or those that are shipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads, load of "
        f"other work {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; slices of {_SIDE} x {_SIDE}\n"
    )
    print("| network | slices at once | PyTorch fp32, ms a slice | PyTorch | OpenVINO | fp32 / OpenVINO |")
    print("| --- | --- | --- | --- | --- | --- |")
    for network in arguments.networks:
        print(*slice_rows(load_checkpoint(network), arguments.repeats), sep="\n", flush=True)
    print(f"\n| `metseg predict`, {_SLICES} slices | backend | s | s of processor time |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        patient = write_patient(Path(folder) / "patient")
        for network in arguments.networks:
            for backend in ("openvino", "torch"):
                print(patient_row(network, backend, patient), flush=True)


if __name__ == "__main__":
    main()
