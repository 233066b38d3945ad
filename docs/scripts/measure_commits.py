"""How long a commit takes: a brush stroke and a model's result on 60 slices of 256 × 256, flushed to the disk.

``python docs/scripts/measure_commits.py [FOLDER]`` works in a new folder inside FOLDER (default: here), and so on its
disk. Processor time is given beside the time that passed, for busy computers.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from metseg.curation import CaseSession, EditKind, Project, Provenance
from metseg.study import read_study, write_tiff

SHAPE = (60, 256, 256)
STROKES = 60


def head(rng: np.random.Generator, lesions: int = 12) -> np.ndarray:
    """A mask of balls, shape (z, y, x)."""
    mask = np.zeros(SHAPE, np.uint8)
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    for _ in range(lesions):
        centre, radius = rng.integers((8, 50, 50), (52, 206, 206)), rng.integers(4, 25)
        mask |= ((3 * (z - centre[0])) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2).astype(np.uint8)
    return mask


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds that passed, and that the processor worked."""
    wall, worked = time.perf_counter(), time.thread_time()
    what()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.thread_time() - worked)


def report(name: str, times: list[tuple[float, float]]) -> None:
    """One line: median, 95th percentile and maximum of the time passed, and median of the processor's."""
    passed, worked = np.array(times).T
    median, high, most = np.median(passed), np.percentile(passed, 95), passed.max()
    print(f"{name:32} {median:8.1f} {high:8.1f} {most:8.1f} {np.median(worked):10.1f}")


def strokes(case: CaseSession, rng: np.random.Generator, dtype: type) -> list[tuple[float, float]]:
    """Brush strokes of 21 pixels, as napari's brush paints them: circles along a line in one slice."""
    labels = case.labels.astype(dtype)
    disc = np.add.outer(np.arange(-10, 11) ** 2, np.arange(-10, 11) ** 2) <= 100
    times = []
    for number in range(STROKES):
        z, y, x = rng.integers((0, 20, 20), (60, 200, 200))
        for step in range(0, 30, 3):
            labels[z, y : y + 21, x + step : x + step + 21][disc] = case.next_label + number % 3
        times.append(timed(lambda: case.commit(labels, EditKind.STROKE)))
    return times


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as folder:
        write_tiff(Path(folder, "head.tif"), rng.integers(0, 255, SHAPE, np.uint8))
        project = Project.create(Path(folder, "project"))
        project.add(read_study(Path(folder, "head.tif")))
        print(f"{'ms':32} {'median':>8} {'95 %':>8} {'most':>8} {'processor':>10}")
        with project.open_case("head") as case:
            report("stroke, labels of 16 bit", strokes(case, rng, np.uint16))
            report("stroke, labels of 32 bit", strokes(case, rng, np.int32))
            plans, models = [], []
            for _ in range(5):
                mask = head(rng)
                probabilities = np.where(mask, 0.9, rng.random(SHAPE) * 0.2).astype(np.float32)
                plans.append(timed(lambda mask=mask: case.plan_prediction(mask, keep_hand=False)))
                plan = case.plan_prediction(mask, keep_hand=False)
                source = Provenance(model="balls", weights_sha256="", threshold=0.5)
                models.append(timed(lambda plan=plan, p=probabilities, s=source: case.predict(plan, p, s)))
            report("plan of a model's result", plans)
            report("model's result", models)
            report("snapshot and closing", [timed(case.close)])
        report("opening and closing again", [timed(lambda: project.open_case("head").close()) for _ in range(5)])


if __name__ == "__main__":
    main()
