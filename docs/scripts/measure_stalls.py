"""How long the correction studio's window stands still, and how soon a stroke is on the disk.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/measure_stalls.py DATA [--cases 3] [--model NAME]

Makes a project of a few patients in DATA (a folder of patients' folders), opens a real window, and works as an
annotator does. A timer of 1 ms is started in the window's thread; the longest time between two of its ticks is the
longest stall. Of that time the script also says how much the window's thread itself was at work ("own"), which is what
is left of the stall on a computer that does nothing else. On the disk that slow_disk.py makes it says as well how long
the window's thread was found waiting for that disk, looked at every 2 ms ("disk"); waiting for a lock is not in it.

Strokes: "handled" is what letting go of the mouse costs the window's thread; "on the disk" is the time from letting go
to the journal's record being flushed.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import napari
import numpy as np
from mouse import drag, scribble
from qtpy.QtCore import Qt, QTimer
from window import PLUGIN, settle, wait_until

from metseg.curation import Project
from metseg.study import find_studies, load

#: Where Linux says in what the window's thread waits, and how it calls waiting for FUSE.
_WAITS_IN = Path(f"/proc/self/task/{threading.main_thread().native_id}/wchan")
_FUSE = "request_wait_answer"


class DiskWatch:
    """Looks every 2 ms from another thread whether the window's thread waits for a disk of FUSE.

    Attributes
    ----------
    waited : float
        For how long it did; seconds.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        """Begin to look."""
        if _WAITS_IN.exists():
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        last = time.perf_counter()
        while not self._over.wait(0.002):
            now = time.perf_counter()
            if _WAITS_IN.read_text() == _FUSE:
                self.waited += now - last
            last = now


@dataclass
class Pulse:
    """Ticks in the window's thread, as often as it has time.

    Attributes
    ----------
    stall, own : float
        Longest time between two ticks, and most work of the thread between two ticks; seconds.
    """

    stall: float = 0.0
    own: float = 0.0
    _last: tuple[float, float] = (0.0, 0.0)
    _timer: QTimer = field(default_factory=QTimer)

    def start(self) -> None:
        """Begin to count."""
        self.stall = self.own = 0.0
        self._last = _now()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def stop(self) -> None:
        """Count no more."""
        self._tick()
        self._timer.stop()
        self._timer.timeout.disconnect(self._tick)

    def _tick(self) -> None:
        wall, own = _now()
        self.stall = max(self.stall, wall - self._last[0])
        self.own = max(self.own, own - self._last[1])
        self._last = wall, own


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


def main() -> None:
    """Work through a project and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--cases", type=int, default=3)
    options.add_argument("--model", help="network; by default the one that the studio offers")
    options.add_argument("--without-network", action="store_true", help="predict nothing")
    options.add_argument("--strokes", type=int, default=40)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="metseg-stalls-"))
    try:
        project = make_project(folder, given.data, given.cases)
        viewer = napari.Viewer(show_welcome_screen=False)
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        print(f"{'':24} {'seconds':>8} {'stall ms':>9} {'own ms':>7} {'disk ms':>8}")
        review(widget, project, folder, given)
        viewer.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_project(folder: Path, data: Path, cases: int) -> Project:
    """A project of the first few patients."""
    project = Project.create(folder / "project")
    for files in find_studies(data)[:cases]:
        for study in load(files).studies:
            project.add(study)
    return project


def review(widget: Any, project: Project, folder: Path, given: argparse.Namespace) -> None:
    """Open, draw, predict, approve, export."""
    studio, state = widget.studio, widget.studio.state
    if given.without_network:
        studio.find_networks = lambda: None
    with measured("open the project"):
        studio.open_project(project.path)
        wait_until(lambda: state.project is not None and not state.searching, "opening the project")
    if given.model:
        state.model = given.model
    names = [case.name for case in state.cases]
    with measured("open the first case"):
        _open(studio, names[0])
    for name in names[1:]:
        with measured("open another case"):
            _open(studio, name)
    strokes(studio, given.strokes)
    with measured("a stroke, another case"):
        drag(state.case.labels, scribble(np.random.default_rng(1), state.case.labels.data.shape))
        _open(studio, names[0])
    if not given.without_network:
        predict(widget)
    with measured("approve, open the next"):
        here = state.case.name
        widget.queue.reviewing.approve_anyway()
        wait_until(lambda: state.case is not None and state.case.name != here, "approving")
    with measured("export what is approved"):
        widget.export.export_to(folder / "exported")
        wait_until(lambda: not studio.busy, "exporting")
    with measured("close the case"):
        studio.close_case()
        wait_until(lambda: state.case is None, "closing")
    with measured("open a case again"):
        _open(studio, names[0])


def strokes(studio: Any, count: int) -> None:
    """Draw with the mouse, and say how soon it is on the disk; then take some of it back."""
    layer, rng = studio.state.case.labels, np.random.default_rng(0)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 12, 1
    with measured(f"{count} strokes"):
        handled, durable = zip(*(one_stroke(studio, rng) for _ in range(count)), strict=True)
    print(f"    handled: {_spread(handled)} ms; on the disk: {_spread(durable)} ms")
    with measured("undo and redo"):
        for _ in range(5):
            layer.undo()
            settle_a_little()
            layer.redo()
            settle_a_little()
        wait_until(lambda: not studio.busy, "saving")


def one_stroke(studio: Any, rng: np.random.Generator) -> tuple[float, float]:
    """Work of the window's thread when the mouse is let go, and time until the stroke is on the disk; seconds."""
    state, layer = studio.state, studio.state.case.labels
    commits, released = state.commits, [(0.0, 0.0)]

    def let_go() -> None:
        released[0] = _now()

    drag(layer, scribble(rng, layer.data.shape), between=settle_a_little, before_release=let_go)
    handled = time.thread_time() - released[0][1]
    wait_until(lambda: state.commits > commits, "saving")
    return handled, time.perf_counter() - released[0][0]


def predict(widget: Any) -> None:
    """Have the network propose, and take it over."""
    proposing, state = widget.proposal.proposing, widget.studio.state
    with measured("predict"):
        proposing.predict()
        wait_until(lambda: state.proposal is not None or not widget.studio.busy, "predicting")
    if state.proposal is None:
        raise SystemExit("the network proposed nothing: " + "\n".join((*state.notices, *state.messages)))
    with measured("take over the proposal"):
        commits = state.commits
        proposing.take_over()
        wait_until(lambda: state.commits > commits, "taking over")


@contextlib.contextmanager
def measured(what: str) -> Iterator[None]:
    """Print how long ``what`` took, and the longest stall meanwhile and while the window then draws."""
    pulse, watch, begin = Pulse(), DiskWatch(), time.perf_counter()
    watch.start()
    pulse.start()
    yield
    seconds = time.perf_counter() - begin
    settle(0.5)
    pulse.stop()
    watch.stop()
    stall, own, disk = (took * 1000 for took in (pulse.stall, pulse.own, watch.waited))
    print(f"{what:24} {seconds:8.1f} {stall:9.0f} {own:7.0f} {disk:8.0f}", flush=True)


def settle_a_little() -> None:
    """Let Qt draw between two moves of the mouse."""
    settle(0.01)


def _open(studio: Any, name: str) -> None:
    studio.open_case(name)
    wait_until(lambda: studio.state.case is not None and studio.state.case.name == name, "opening a case")


def _spread(seconds: Sequence[float]) -> str:
    values = np.array(seconds) * 1000
    return f"median {np.median(values):.1f}, 95 % {np.percentile(values, 95):.1f}, most {values.max():.1f}"


if __name__ == "__main__":
    main()
