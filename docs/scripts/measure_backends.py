"""What networks take on this machine's CPU with each backend: slices, larger pictures, whole patients, memory.

make bench, or python docs/scripts/measure_backends.py [NETWORK ...] [--tables stages] [--repeats 7] [--plot FILE]

Prints tables in Markdown, and the machine that they are of. Backends take turns, so that other work hits all alike;
times are medians, with half the distance between the quartiles. Patients are those of METSEG_DATA/lgg where there are
any, else synthetic ones. Not for Windows.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.inference import Backend, Segmenter
from metseg.inference.backend import ENVIRONMENT, backend_factory
from metseg.inference.devices import autocast_dtype
from metseg.inference.onnx_backend import OnnxBackend
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.inference.torch_backend import TorchBackend
from metseg.prediction.predictor import MASK_SUFFIX
from metseg.prediction.result_files import write_slices
from metseg.study import find_studies, load, write_tiff
from metseg.synthetic import synthetic_study

NETWORKS = ("metastases", "attention_unet", "nested_unet", "inception_unet", "best")
CONTENDERS = ("eager fp32", "PyTorch fp32", "PyTorch", "ONNX Runtime", "OpenVINO")
TABLES = ("slices", "sides", "stages", "patient", "memory")
_SIDE = 256
_BATCHES = (1, 16)
_SIDES = (256, 512, 1024)
#: Slices of the patient that is segmented from the shell; of the studies whose memory is measured.
_SLICES = 20
_DEPTHS = (1, 100, 1000, 10_000)
_PATIENTS = (1, 25, 85)
_BACKENDS = ("openvino", "onnx", "torch")
#: Side of the matrices whose product is the peak.
_MATRIX = 2048
_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16"}

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

Runner = Callable[[np.ndarray], object]


@dataclass(frozen=True)
class Duration:
    """Median and half the distance between the quartiles."""

    median: float
    spread: float

    @staticmethod
    def of(values: list[float]) -> Duration:
        """The two of ``values``."""
        low, median, high = np.percentile(values, (25, 50, 75))
        return Duration(float(median), float(high - low) / 2)

    def __str__(self) -> str:
        return f"{self.median:.1f} ± {self.spread:.1f}"


@dataclass
class TimedBackend:
    """A backend that counts the seconds that its network takes."""

    backend: Backend
    device: str = "cpu"
    remark: str = ""
    seconds: float = field(default=0.0, init=False)

    @property
    def name(self) -> str:
        """The backend's."""
        return self.backend.name

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """See :class:`metseg.inference.Backend`."""
        start = time.perf_counter()
        try:
            return self.backend.probabilities(images)
        finally:
            self.seconds += time.perf_counter() - start

    def with_disagreement(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`metseg.inference.Backend`."""
        start = time.perf_counter()
        try:
            return self.backend.with_disagreement(images)
        finally:
            self.seconds += time.perf_counter() - start

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()


def as_published(checkpoint: Checkpoint) -> Runner:
    """The network as segmentation-models-pytorch's README runs one: eager, fp32, the usual memory format."""
    network = checkpoint.network().eval()

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).sigmoid().numpy()

    return run


def in_windows(checkpoint: Checkpoint) -> Runner:
    """The same network in MONAI's sliding windows of 256 x 256, a quarter of each shared with the next."""
    from monai.inferers.inferer import SlidingWindowInferer

    network, inferer = checkpoint.network().eval(), SlidingWindowInferer((_SIDE, _SIDE), sw_batch_size=4)

    def run(images: np.ndarray) -> object:
        with torch.inference_mode():
            return inferer(torch.from_numpy(images), network).sigmoid().numpy()

    return run


def milliseconds(runners: list[Runner], batch: np.ndarray, repeats: int) -> list[Duration]:
    """The time that one slice of ``batch`` takes with each."""
    taken: list[list[float]] = [[] for _ in runners]
    for run in runners:
        run(batch)
    for _ in range(repeats):
        for run, times in zip(runners, taken, strict=True):
            start = time.perf_counter()
            run(batch)
            times.append((time.perf_counter() - start) / len(batch) * 1000)
    return [Duration.of(times) for times in taken]


def measured_peak(device: str, side: int, dtype: torch.dtype) -> float:
    """Operations a second of a matrix product, the best of six."""
    one, other = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        (one @ other)[0, 0].item()
        times.append(time.perf_counter() - start)
    return 2 * side**3 / min(times)


def operations(checkpoint: Checkpoint, side: int) -> int:
    """Operations of one slice, two for each multiplication with its addition."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        checkpoint.network().eval()(torch.zeros(1, checkpoint.card.preprocessing.channels, side, side))
    return int(counter.get_total_flops())


def random_slices(checkpoint: Checkpoint, count: int, side: int) -> np.ndarray:
    """float32 (count, channels, side, side) in [0, 1]."""
    return np.random.default_rng(0).random((count, checkpoint.card.preprocessing.channels, side, side), np.float32)


def slice_times(checkpoint: Checkpoint, repeats: int, peaks: dict[str, float]) -> tuple[list[str], dict[str, float]]:
    """Rows of the first table about one network, and the medians of the last one by contender."""
    backends: list[Backend] = [
        TorchBackend(checkpoint, "cpu", full_precision=True),
        TorchBackend(checkpoint, "cpu"),
        OnnxBackend(checkpoint, "cpu"),
        OpenVinoBackend(checkpoint, "cpu"),
    ]
    precision = backends[-1].name.rpartition(" ")[2]
    runners = [as_published(checkpoint), *(backend.probabilities for backend in backends)]
    labels = ["eager fp32", *(backend.name for backend in backends)]
    rows, medians = [], {}
    for count in _BATCHES:
        took = milliseconds(runners, random_slices(checkpoint, count, _SIDE), repeats)
        medians = {name: one.median for name, one in zip(CONTENDERS, took, strict=True)}
        share = operations(checkpoint, _SIDE) * 1000 / took[-1].median / peaks[precision]
        cells = [
            str(took[0]),
            *(f"{one} {label.rpartition(' ')[2]}" for label, one in zip(labels[1:], took[1:], strict=True)),
        ]
        ratio = took[0].median / took[-1].median
        rows.append(f"| `{checkpoint.card.name}` | {count} | {' | '.join(cells)} | {ratio:.1f} | {share:.0%} |")
    return rows, medians


def side_rows(checkpoint: Checkpoint, repeats: int) -> list[str]:
    """Rows of the second table: one slice, larger and larger."""
    runners = [as_published(checkpoint), in_windows(checkpoint), OpenVinoBackend(checkpoint, "cpu").probabilities]
    rows = []
    for side in _SIDES:
        took = milliseconds(runners, random_slices(checkpoint, 1, side), repeats)
        rows.append(f"| `{checkpoint.card.name}` | {side} x {side} | {' | '.join(map(str, took))} |")
    return rows


def stage_row(network: str, data: Path, patients: int) -> str:
    """A row of the third table: from files to masks, the network loaded, and the share of each stage."""
    backends: list[TimedBackend] = []

    def opened(checkpoint: Checkpoint, device: str) -> TimedBackend:
        backends.append(TimedBackend(backend_factory()(checkpoint, device)))
        return backends[-1]

    times = dict.fromkeys(("reading", "segmenting", "writing"), 0.0)
    slices = 0
    with tempfile.TemporaryDirectory() as out, Segmenter(load_checkpoint(network), device="cpu", backend=opened) as one:
        one.segment(synthetic_study(0, slices=8, size=_SIDE))  # loads the network
        backends[0].seconds = 0.0
        began = time.perf_counter()
        for folder in islice((entry for entry in sorted(data.iterdir()) if entry.is_dir()), patients):
            with timed(times, "reading"):
                studies = load(find_studies(folder)[0]).studies
            for study in studies:
                with timed(times, "segmenting"):
                    result = one.segment(study)
                with timed(times, "writing"):
                    write_slices(
                        study, result.mask, root=data, out=Path(out), suffix=MASK_SUFFIX, about=result.provenance
                    )
                slices += len(result.mask)
        total = time.perf_counter() - began
    network_time = backends[0].seconds
    shares = [network_time, times["reading"], times["segmenting"] - network_time, times["writing"]]
    cells = " | ".join(f"{share / total:.0%}" for share in shares)
    return f"| `{network}` | {patients} | {slices} | {total:.1f} | {cells} |"


@contextmanager
def timed(times: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds of the block to those of a stage."""
    start = time.perf_counter()
    yield
    times[stage] += time.perf_counter() - start


def write_patient(folder: Path) -> Path:
    """A synthetic patient as a folder of TIFFs."""
    study = synthetic_study(0, slices=_SLICES, size=_SIDE)
    folder.mkdir(parents=True)
    for z in range(_SLICES):
        write_tiff(folder / f"{folder.name}_{z + 1}.tif", np.ascontiguousarray(study.voxels[:, z].transpose(1, 2, 0)))
    return folder


def run_alone(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and largest size in MB of ``command``."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _RUN, *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    wall, processor, size = map(float, done.stdout.split())
    return wall, processor, size


def patient_row(network: str, backend: str, patient: Path) -> str:
    """A row of the fourth table: the first run, which converts the network, and the second."""
    command = [sys.executable, "-m", "metseg.cli", "predict", "--model", network, "--device", "cpu"]
    with tempfile.TemporaryDirectory() as cache:
        first, second = (
            run_alone(
                [*command, "--input", str(patient), "--output", str(Path(cache) / run)],
                {ENVIRONMENT: backend, "XDG_CACHE_HOME": cache},
            )
            for run in ("first", "second")
        )
    return f"| `{network}` | {backend} | {first[0]:.1f} | {second[0]:.1f} | {second[1]:.1f} |"


def memory_row(network: str, backend: str, depths: list[int], head: Path) -> str:
    """A row of the fifth table: a process that only segments one study, or without a network only has it."""

    def size(depth: int) -> float:
        return run_alone([sys.executable, "-c", _SEGMENT, str(head), str(depth), network], {ENVIRONMENT: backend})[2]

    if network:
        size(1)  # converts the network
    cells = " | ".join(f"{size(depth):,.0f}" for depth in depths)
    return f"| {f'`{network}`' if network else 'only the study'} | {backend if network else ''} | {cells} |"


def draw(medians: dict[str, dict[str, float]], path: Path) -> None:
    """Bars of the milliseconds a slice, by network and by contender."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 0.5 + 0.9 * len(medians)), layout="constrained")
    height = 0.8 / len(CONTENDERS)
    for number, name in enumerate(CONTENDERS):
        places = np.arange(len(medians)) + number * height
        bars = axis.barh(places, [took[name] for took in medians.values()], height, label=name)
        axis.bar_label(bars, fmt="%.0f", fontsize=7, padding=2)
    axis.set(xlabel="milliseconds a slice of 256 x 256, 16 at once", yticks=np.arange(len(medians)) + 0.4 - height / 2)
    axis.set_yticklabels(medians)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure the networks that are named, or those that are shipped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--plot", type=Path, help="picture of the first table")
    parser.add_argument(
        "--slices", nargs="+", type=int, default=_DEPTHS, help="of the studies whose memory is measured"
    )
    parser.add_argument(
        "--patients", nargs="+", type=int, default=_PATIENTS, help="how many go from files to masks in the third table"
    )
    parser.add_argument("--backends", nargs="+", default=_BACKENDS, help="of the last two tables")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads, load of "
        f"other work {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    if "slices" in arguments.tables:
        types = [torch.float32, *filter(None, [autocast_dtype("cpu")])]  # others are computed as slowly as in Python
        peaks = {_PRECISION[dtype]: measured_peak("cpu", _MATRIX, dtype) for dtype in types}
        for precision, peak in peaks.items():
            print(f"product of two {_MATRIX} x {_MATRIX} matrices in {precision}: {peak / 1e9:,.0f} GFLOP/s")
        title("ms a slice", "slices at once", *CONTENDERS, "eager / OpenVINO", "OpenVINO's share of the peak")
        medians: dict[str, dict[str, float]] = {}
        for network in arguments.networks:
            checkpoint = load_checkpoint(network)
            rows, medians[checkpoint.card.name] = slice_times(checkpoint, arguments.repeats, peaks)
            print(*rows, sep="\n", flush=True)
        if arguments.plot is not None:
            draw(medians, arguments.plot)
    if "sides" in arguments.tables:
        title("ms a slice, one at once", "size", "eager fp32", "eager fp32 in MONAI's sliding windows", "OpenVINO")
        for network in arguments.networks:
            print(*side_rows(load_checkpoint(network), arguments.repeats), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patient = write_patient(folder / "heads" / "patient")
        if "stages" in arguments.tables:
            title(
                "files to masks", "patients", "slices", "s", "network", "reading", "pre- and postprocessing", "writing"
            )
            real = Path(os.environ.get("METSEG_DATA", "")) / "lgg"
            data = real if real.is_dir() else patient.parent
            for network in arguments.networks:
                for count in arguments.patients:
                    print(stage_row(network, data, count), flush=True)
        if "patient" in arguments.tables:
            title(f"`metseg predict`, {_SLICES} slices", "backend", "first run, s", "second, s", "s of processor time")
            for network in arguments.networks:
                for backend in arguments.backends:
                    print(patient_row(network, backend, patient), flush=True)
        if "memory" in arguments.tables:
            title("largest size in MB, by slices of the study", "backend", *(f"{one:,}" for one in arguments.slices))
            head = folder / "head.npy"
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
