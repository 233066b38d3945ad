"""How long the correction tools take in the window, on 60 slices of 256 × 256: from the click to the changed labels.

    xvfb-run -s "-screen 0 1600x1000x24" python docs/scripts/measure_studio_tools.py [--repeats 20]

A real napari window with the correction studio on a project of one synthetic head. Every tool acts on random lesions
and is undone again. Given are the milliseconds from the click, the key or the mouse's release until the layer and its
undo history are changed and the edit is on its way to the disk; how much of that the processor worked; and the
milliseconds until the window is drawn again, which without a graphics card is the processor's work, too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from mouse import drag
from qtpy.QtWidgets import QApplication
from scipy import ndimage
from window import PLUGIN, settle, wait_until

from metseg.curation import Project, Provenance
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

SLICES, SIZE = 60, 256


def make_project(folder: Path, rng: np.random.Generator) -> Project:
    """A project of one case, outlined by a network that is a little unsure."""
    head = synthetic_study(3, slices=SLICES, size=SIZE)
    write_tiff(folder / "head.tif", np.moveaxis(head.voxels, 0, -1), spacing=head.geometry.spacing)
    made = Project.create(folder / "project")
    made.add(read_study(folder / "head.tif"))
    blurred = ndimage.gaussian_filter((head.mask > 0).astype(np.float32), (0.5, 2, 2))
    noise = ndimage.gaussian_filter(rng.normal(size=blurred.shape), (1, 4, 4))
    probabilities = np.clip(blurred + (blurred > 0.02) * noise, 0, 1).astype(np.float32)
    with made.open_case(made.cases()[0].name) as session:
        provenance = Provenance(model="made up", weights_sha256="0" * 64, threshold=0.5)
        session.predict(session.plan_prediction(probabilities >= 0.5), probabilities, provenance)
    return made


class Bench:
    """The open studio, and how long its tools took."""

    def __init__(self, viewer: napari.Viewer, project: Project, rng: np.random.Generator) -> None:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        self.studio, self.panel, self.lesions, self.rng = widget.studio, widget.tools, widget.lesions, rng
        self.taken: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        self.studio.open_project(project.path)
        wait_until(lambda: self.studio.state.project is not None, "opening the project")
        self.studio.open_case(project.cases()[0].name)
        wait_until(lambda: self.studio.state.case is not None and not self.studio.busy, "opening the case")
        self.labels = self.studio.state.case.labels

    def rest(self) -> None:
        """Wait until all is drawn, measured and on the disk."""
        self.studio.flush()
        settle(0.02)
        wait_until(lambda: not (self.lesions.busy or self.studio.busy), "the lesion table")

    def choose(self) -> tuple[int, int, np.ndarray]:
        """Select a random lesion of some slices and show its middle one; its number, the slice, its pixels there."""
        self.rest()
        rows = [row.lesion for row in self.lesions.table.rows if row.lesion.slices[1] - row.lesion.slices[0] >= 3]
        lesion = rows[self.rng.integers(len(rows))]
        z = sum(lesion.slices) // 2
        self.studio.state.lesion = lesion.id
        self.studio.go_to(z, *lesion.centroid[1:])
        return lesion.id, z, np.argwhere(self.labels.data[z] == lesion.id)

    def click(self, name: str, act: Callable[[], object]) -> None:
        """Time a click on a button, and the click that takes it back."""
        self.timed(name, lambda clock: (clock.start(), act()))

    def timed(self, name: str, act: Callable[[Clock], object]) -> None:
        """Time what ``act`` does from where it starts the clock, and undo."""
        self.rest()
        before = self.labels.data.copy()
        self.taken[name].append(Clock().run(act))
        if np.array_equal(self.labels.data, before):
            raise SystemExit(f"{name} did nothing: {self.panel.tools.state.message}")
        self.rest()
        self.taken["undo"].append(Clock().run(lambda clock: (clock.start(), self.panel.undo.click())))
        if not np.array_equal(self.labels.data, before):
            raise SystemExit(f"{name} was not undone")


class Clock:
    """Time that passed and that this thread worked."""

    def start(self) -> None:
        """Begin."""
        self._passed, self._worked = time.perf_counter(), time.thread_time()

    def run(self, act: Callable[[Clock], object]) -> tuple[float, float, float]:
        """Milliseconds that passed and were worked from ``start`` to the end of ``act``, and until all is drawn."""
        act(self)
        done, worked = time.perf_counter(), time.thread_time()
        QApplication.processEvents()
        drawn = time.perf_counter()
        return tuple(1000 * span for span in (done - self._passed, worked - self._worked, drawn - self._passed))


def measure(bench: Bench) -> None:
    """Use every tool once, on random lesions."""
    panel, tools, state = bench.panel, bench.panel.tools, bench.studio.state
    strokes(bench)
    lesion, z, pixels = bench.choose()
    bench.click("grow", panel.grow.click)
    bench.click("shrink", panel.shrink.click)
    bench.click("delete", panel.delete.click)
    state.lesion = lesion
    bench.click("renumber", lambda: tools.relabel(lesion, 60000))
    state.lesion = lesion
    panel.split.click()
    drag(bench.labels, [(z, *pixels[0])])
    bench.timed("split", lambda clock: drag(bench.labels, [(z, *pixels[-1])], before_release=clock.start))
    bench.rest()
    others = [row.lesion.id for row in bench.lesions.table.rows if row.lesion.id != lesion]
    pair = (lesion, int(bench.rng.choice(others)))
    bench.timed("merge", lambda clock: (bench.lesions.table.choose(pair), clock.start(), panel.merge.click()))
    bench.rest()
    bench.lesions.table.choose(pair)
    panel.merge.click()
    bench.click("separate", panel.separate.click)
    panel.undo.click()


def strokes(bench: Bench) -> None:
    """Draw with the guided brush and eraser, and fill the slices between two strokes."""
    panel = bench.panel
    bench.labels.brush_size = int(bench.rng.integers(4, 20))
    for name, toggle, neighbours in (
        ("guided brush", panel.brush, 0),
        ("guided brush, 5 slices", panel.brush, 2),
        ("guided eraser", panel.eraser, 0),
    ):
        _, z, pixels = bench.choose()
        toggle.click()
        panel.neighbours.setValue(neighbours)
        path = along(z, pixels)
        bench.timed(name, lambda clock, path=path: draw(bench, path, clock.start))
        toggle.click()
    panel.neighbours.setValue(0)
    _, z, pixels = bench.choose()
    panel.brush.click()
    for end in (z - 2, z + 2):
        draw(bench, along(end, pixels))
    panel.brush.click()

    def interpolate() -> None:
        edits = bench.studio.state.edits
        panel.interpolate.click()
        wait_until(lambda: bench.studio.state.edits > edits, "reading the journal")

    bench.click("interpolate", interpolate)
    for _ in range(2):
        panel.undo.click()


def along(z: int, pixels: np.ndarray) -> list[tuple[float, ...]]:
    """A path in slice ``z`` from the middle of some pixels to somewhat beyond them."""
    start = pixels.mean(axis=0)
    end = start + (2 * np.sqrt(len(pixels)) + 10) * np.array([0.7, 0.7]) * np.sign(SIZE / 2 - start)
    return [(z, *place) for place in np.linspace(start, end, 12)]


def draw(bench: Bench, path: list[tuple[float, ...]], before_release: Callable[[], object] = lambda: None) -> None:
    """One drag, after which the window is drawn."""

    def let_go() -> None:
        QApplication.processEvents()
        before_release()

    drag(bench.labels, path, before_release=let_go)


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=20)
    given = options.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(1440, 900)
        bench = Bench(viewer, make_project(Path(folder), rng), rng)
        for repeat in range(given.repeats + 1):
            measure(bench)
            if repeat == 0:  # everything is imported and compiled now
                bench.taken.clear()
        bench.studio.close_case()
        viewer.close()
    print(f"{SIZE} × {SIZE} × {SLICES} voxels, {given.repeats} times each")
    print(f"{os.cpu_count()} processors, {os.getloadavg()[1]:.0f} processes want to run")
    print(f"{'':24}{'changed':>9}{'95 %':>8}{'worst':>8}{'processor':>11}{'worst':>8}{'drawn':>9}")
    for name, times in bench.taken.items():
        changed, worked, drawn = np.array(times).T
        row = np.median(changed), np.percentile(changed, 95), changed.max(), np.median(worked), worked.max()
        print(f"{name:24}{row[0]:9.1f}{row[1]:8.1f}{row[2]:8.1f}{row[3]:11.1f}{row[4]:8.1f}{np.median(drawn):9.1f}")


if __name__ == "__main__":
    main()
