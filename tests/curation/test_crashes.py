"""Processes are killed while they paint, and race for one case. METSEG_KILLS and METSEG_WRITERS say how many do.

The scripts fork small processes of their own, which no library of the tests' process has given threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project
from metseg.errors import CaseBusyError

KILLS = int(os.environ.get("METSEG_KILLS", "15"))
WRITERS = int(os.environ.get("METSEG_WRITERS", "60"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are forked and killed as on POSIX systems"),
]

PROJECT = """
import os, random, signal, sys, time, zlib
from pathlib import Path
import imagecodecs, numpy as np, tifffile
from metseg.curation import EditKind, Project, Provenance, Status, session
from metseg.errors import DataError
from metseg.study import read_study, read_tiff, write_tiff

folder, count = Path(sys.argv[1]), int(sys.argv[2])

def make(shape):
    write_tiff(folder / "head.tif", np.zeros(shape, np.uint8))
    project = Project.create(folder / "project")
    project.add(read_study(folder / "head.tif"))
    return project
"""

#: A child paints and commits, says before each commit what it will be and after it that it is; the parent kills it,
#: looks at what is there and opens it. Prints: kills, kills in the midst of a commit, strokes kept, torn records.
KILLER = (
    PROJECT
    + """
SHAPE = (12, 96, 96)
session.SNAPSHOT_RECORDS = 6

def paint(project, seed, pipe):
    rng = np.random.default_rng(seed)
    while True:
        with project.open_case("head", annotator="child") as case:
            for _ in range(int(rng.integers(1, 16))):
                labels = case.labels.copy()
                if rng.random() < 0.2:  # much, and hard to pack
                    labels[2:10] = rng.integers(0, 60000, (8, *SHAPE[1:]))
                else:
                    z, y, x = (int(rng.integers(0, size)) for size in SHAPE)
                    labels[z, y : y + 9, x : x + 9] = rng.integers(1, 60000)
                if np.array_equal(labels, case.labels):
                    continue
                os.write(pipe, b"?%08x" % zlib.crc32(labels))
                if rng.random() < 0.1:
                    mask = labels > 30000
                    plan = case.plan_prediction(mask, keep_hand=False)
                    os.write(pipe, b"?%08x" % zlib.crc32(plan.labels))
                    case.predict(plan, mask * np.float32(0.7), Provenance(model="m", weights_sha256="", threshold=0.5))
                else:
                    case.commit(labels, EditKind.STROKE)
                os.write(pipe, b"!%08x" % zlib.crc32(case.labels))
            if rng.random() < 0.3:
                case.set_status(random.choice([Status.APPROVED, Status.TODO]))

def whole(case):
    for path in case.rglob("*.tif"):
        if not path.name.startswith("."):
            read_tiff(path)
    for path in case.rglob("*.json"):
        if not path.name.startswith("."):
            __import__("json").loads(path.read_text())

project = make(SHAPE)
case = project.path / "cases" / "head"
random.seed(11)
kept = b"%08x" % zlib.crc32(np.zeros(SHAPE, np.uint16))
within = strokes = torn = 0
for seed in range(count):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        paint(project, seed, writer)
    os.close(writer)
    said = os.read(reader, 1)
    time.sleep(random.uniform(0, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 1 << 16):
        said += more
    os.close(reader)
    said = [said[start : start + 9] for start in range(0, len(said), 9)]
    done = [entry[1:] for entry in said if entry[:1] == b"!"]
    last = max((place for place, entry in enumerate(said) if entry[:1] == b"!"), default=-1)
    strokes += len(done)
    kept = done[-1] if done else kept
    flight = [entry[1:] for entry in said[last + 1 :]]
    within += bool(flight)
    view = project.read_case("head")
    found = b"%08x" % zlib.crc32(view.labels)
    assert found in (kept, *flight[-1:]), (seed, kept, flight, found)
    assert view.recovery is None or not view.recovery.damaged, view.recovery
    torn += bool(view.recovery and view.recovery.cut)
    with project.open_case("head", timeout=0) as opened:  # the lock of the killed is free at once
        assert b"%08x" % zlib.crc32(opened.labels) == found
    whole(case)
    kept = found
numbers = [record.seq for record in project.read_case("head").history()]
assert numbers == list(range(1, len(numbers) + 1))
print(count, within, strokes, torn)
"""
)

#: Children race for one case; each paints a voxel of its own.
RACERS = (
    PROJECT
    + """
SHAPE = (10, 10, 10)
project = make(SHAPE)
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        with project.open_case("head", annotator=f"w{number}", timeout=3000) as case:
            labels = case.labels.copy()
            labels.flat[number] = number + 1
            case.commit(labels, EditKind.STROKE)
        os._exit(0)
    children.append(child)
assert not any(os.waitpid(child, 0)[1] for child in children)
view = project.read_case("head")
np.testing.assert_array_equal(view.labels.ravel()[:count], np.arange(1, count + 1))
assert not view.labels.ravel()[count:].any() and view.recovery is None
assert view.statistics().edits == {EditKind.STROKE: count}
assert len(view.statistics().annotators) == count
print(count)
"""
)


def _run(script: str, folder: Path, count: int) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(count)], capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return [int(number) for number in done.stdout.split()]


def test_at_most_the_stroke_in_flight_is_lost_when_the_painter_is_killed(tmp_path: Path) -> None:
    kills, within, strokes, _torn = _run(KILLER, tmp_path, KILLS)
    assert kills == KILLS
    assert strokes > 0
    assert within > 0, "no kill hit a commit; the test shows nothing"


def test_no_update_of_racing_writers_is_lost(tmp_path: Path) -> None:
    assert _run(RACERS, tmp_path, WRITERS) == [WRITERS]


#: A child commits and takes snapshots as fast as it can; the parent reads all the while.
READERS = (
    PROJECT
    + """
SHAPE = (3, 20, 20)
session.SNAPSHOT_RECORDS = 2
project = make(SHAPE)
child = os.fork()
if child == 0:
    for start in range(0, count, 10):
        with project.open_case("head") as case:
            for number in range(start, start + 10):
                case.commit(np.full(SHAPE, number + 1, np.uint16), EditKind.FILL)
    os._exit(0)
last = reads = 0
while last < count:
    view = project.read_case("head")
    assert len(np.unique(view.labels)) == 1 and view.labels[0, 0, 0] >= last, (view.labels, last)
    assert view.recovery is None or not (view.recovery.damaged or view.recovery.lost), view.recovery
    last = int(view.labels[0, 0, 0])
    assert not project.cases()[0].problem
    reads += 1
assert not os.waitpid(child, 0)[1]
print(reads)
"""
)


def test_who_looks_at_a_case_while_it_is_edited_sees_one_state_after_the_other(tmp_path: Path) -> None:
    assert _run(READERS, tmp_path, 100)[0] > 0


HOLDER = """
import os, sys, time
from metseg.curation import EditKind, Project
case = Project.open(sys.argv[1]).open_case("head", annotator="anna")
labels = case.labels.copy()
labels[0, 0, 0] = 1
case.commit(labels, EditKind.STROKE)
print("open", flush=True)
time.sleep(600)
"""


def test_the_second_is_told_who_has_the_case_and_gets_it_when_that_one_is_killed(project: Project) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(project.path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            with pytest.raises(CaseBusyError, match=f"process {holder.pid} on .* by anna since 20") as told:
                project.open_case("head")
            assert told.value.case == "head"
            with pytest.raises(CaseBusyError):
                project.open_case("head", timeout=0.2)
            assert project.read_case("head").labels.sum() == 1
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
    with project.open_case("head") as case:
        assert case.labels.sum() == 1
        assert str(case.recovery) == "The case was not closed properly; 1 change was brought back."


def test_the_same_process_cannot_open_a_case_twice(project: Project) -> None:
    with project.open_case("head"):
        with pytest.raises(CaseBusyError, match=f"process {os.getpid()}"):
            project.open_case("head")
        with pytest.raises(CaseBusyError):
            project.open_case("head", timeout=0.1)
    with project.open_case("head") as case:
        case.commit(np.ones(case.shape, np.uint8), EditKind.FILL)
