"""Kill napari with SIGKILL while somebody paints in the correction studio, many times, and count what is lost.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/kill_while_painting.py [--kills 200]

Each time a process opens a real window and the same case of a project, and paints with the mouse: brush, eraser, fill;
the studio saves, without its panels, which take longer to open than the painting lasts. The process says what the
labels will be when the stroke ends, and when it has ended. It is killed at a moment drawn by lot; then the case is
opened and compared. Each time a line of JSON is printed, which counts from the beginning:

- ``kills``, ``strokes``: how often it was killed, how many strokes had ended
- ``lost``: most strokes that had ended, and were not on the disk when the process was killed
- ``late``: strokes that had ended more than 150 ms before and were not on the disk (must be 0, unless the
  computer has so much else to do that threads wait that long)
- ``unknown``: openings that found labels that never were (must be 0)
- ``damaged``: openings that found a damaged file, or could not read the case (must be 0)
- ``torn``: openings that found half a record at the journal's end, which is cut off
- ``reopened``: openings for editing that worked (must be as many as kills)

Linux and macOS: processes are forked, so that napari is imported once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import napari
import numpy as np
from mouse import drag, scribble
from window import wait_until

from metseg.curation import Project
from metseg.errors import MetsegError
from metseg.napari_plugin.studio.studio import Studio
from metseg.study import read_study, write_tiff

SHAPE = (20, 128, 128)
MOST_DELAY = 0.15


@dataclass
class Counts:
    """What is printed."""

    kills: int = 0
    strokes: int = 0
    lost: int = 0
    late: int = 0
    unknown: int = 0
    damaged: int = 0
    torn: int = 0
    reopened: int = 0


def main() -> None:
    """Paint, kill, look."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--strokes", type=int, default=8, help="most strokes before it is killed")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="metseg-kills-"))
    rng, counts = np.random.default_rng(given.seed), Counts()
    project = make_project(folder)
    try:
        for number in range(given.kills):
            one_round(project, counts, int(rng.integers(0, given.strokes)), float(rng.uniform(0, 0.3)), number)
            print(json.dumps(asdict(counts)), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_project(folder: Path) -> Project:
    """A project with one case, ``head``."""
    write_tiff(folder / "head.tif", np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8), spacing=(5.0, 1.0, 1.0))
    project = Project.create(folder / "project")
    project.add(read_study(folder / "head.tif"))
    return project


def one_round(project: Project, counts: Counts, strokes: int, seconds: float, seed: int) -> None:
    """Have a process paint some strokes and go on for so long, kill it, and compare what is there with what it said."""
    before = zlib.crc32(project.read_case("head").labels)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        paint(project.path, writer, seed)
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        lines = [said.readline()]
        while lines[-1] and sum(line.startswith(b"ended") for line in lines) < strokes:
            lines.append(said.readline())
        if not lines[-1]:
            raise RuntimeError("the window did not stay open")
        time.sleep(seconds)
        killed = time.monotonic()
        os.kill(child, signal.SIGKILL)
        lines += said.readlines()
    os.waitpid(child, 0)
    look(project, counts, before, [line.decode().split() for line in lines if line.endswith(b"\n")], killed)


def look(project: Project, counts: Counts, before: int, said: list[list[str]], killed: float) -> None:
    """Compare the case with what the painter said of it."""
    counts.kills += 1
    states = [before, *(int(line[1], 16) for line in said if line[0] == "will")]
    ends = [float(line[1]) for line in said if line[0] == "ended"]
    counts.strokes += len(ends)
    try:
        with project.open_case("head") as session:
            labels, recovery = session.labels.copy(), session.recovery
    except MetsegError as error:
        print(f"cannot be opened: {error}")
        counts.damaged += 1
        return
    counts.reopened += 1
    counts.damaged += bool(recovery and (recovery.damaged or recovery.lost))
    counts.torn += bool(recovery and recovery.cut)
    crc = zlib.crc32(labels)
    if crc not in states:
        counts.unknown += 1
        return
    kept = len(states) - 1 - states[::-1].index(crc)
    missing = ends[kept:]
    counts.lost = max(counts.lost, len(missing))
    counts.late += sum(end < killed - MOST_DELAY for end in missing)


def paint(project: Path, pipe: int, seed: int) -> None:
    """Paint in a window until somebody ends this process."""
    viewer = napari.Viewer(show_welcome_screen=False)
    studio = Studio(viewer)
    studio.find_networks = lambda: None  # torch takes seconds to import
    studio.open_project(project)
    wait_until(lambda: studio.state.project is not None, "opening the project")
    studio.open_case("head")
    wait_until(lambda: studio.state.case is not None, "opening the case")
    layer, rng = studio.state.case.labels, np.random.default_rng(seed)
    os.write(pipe, b"begin\n")
    while True:
        stroke(layer, rng, pipe)
        wait_until(_after(float(rng.uniform(0, 0.1))), "resting")


def stroke(layer: Any, rng: np.random.Generator, pipe: int) -> None:
    """Draw once, and say so."""

    def announce() -> None:
        os.write(pipe, f"will {zlib.crc32(layer.data):08x}\n".encode())

    layer.selected_label = int(rng.integers(1, 9))
    layer.brush_size = int(rng.integers(3, 20))
    layer.mode = rng.choice(["paint", "paint", "erase", "fill"])
    path = scribble(rng, layer.data.shape)
    if layer.mode == "fill":
        path = path[:1]
    drag(layer, path, between=_let_qt_work, before_release=announce)
    os.write(pipe, f"ended {time.monotonic()}\n".encode())


def _let_qt_work() -> None:
    wait_until(_after(0.004), "drawing")


def _after(seconds: float) -> Any:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


if __name__ == "__main__":
    main()
