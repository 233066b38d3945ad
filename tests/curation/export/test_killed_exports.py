"""An export that is killed at any moment is finished by running it again. METSEG_EXPORT_KILLS says how often."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from metseg.curation import Project
from metseg.curation.export import export_project, exporting_project, verify
from metseg.errors import DataError
from metseg.events import Progress

pytestmark = pytest.mark.slow


KILLS = int(os.environ.get("METSEG_EXPORT_KILLS", "10"))

#: Children export and are killed at a random moment, anew or on what is there; in between a case may be edited and
#: approved again. Every image and mask in place reads whole, and the last run gives what a fresh export gives. Prints:
#: kills, kills before the end, kills that left some files in place, kills that left a finished export.
KILLER = """
import os, random, shutil, signal, sys, time
from pathlib import Path
import imagecodecs, numpy as np, tifffile
from metseg.curation import EditKind, Project, Status
from metseg.curation.export import Layout, export_project, verify
from metseg.study import read_tiff

project, out, count = Project.open(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
random.seed(5)

def edit(value):
    with project.open_case("b") as case:
        labels = case.labels.copy()
        labels[0, 0, 0] = value % 2 * 9
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)

export_project(project, out.with_name("first"))  # with all that is imported once
start = time.perf_counter()
export_project(project, out.with_name("timed"))
lasting = time.perf_counter() - start
kills = before = partly = whole = 0
while kills < count or (not (before and partly) and kills < 10 * count):
    kills += 1
    child = os.fork()
    if child == 0:
        export_project(project, out)
        os._exit(0)
    time.sleep(random.uniform(0, 1.2) * lasting)
    os.kill(child, signal.SIGKILL)
    before += os.waitpid(child, 0)[1] == signal.SIGKILL
    for path in out.rglob("*.tif"):
        if not any(part.startswith(".") for part in path.relative_to(out).parts):
            read_tiff(path)
    if (out / "manifest.json").exists():
        assert verify(out).sound, verify(out)
        whole += 1
        if random.random() < 0.7:
            shutil.rmtree(out)
    else:
        partly += any(out.rglob("*_mask.tif"))
    if random.random() < 0.5:
        edit(kills)
export_project(project, out)
assert verify(out).sound
export_project(project, out.with_name("fresh"))
listing = lambda top: {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
assert listing(out) == listing(out.with_name("fresh"))
print(kills, before, partly, whole)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked and killed as on POSIX systems")
def test_a_killed_export_is_finished_by_running_it_again(project: Project, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(project.path), str(tmp_path / "out"), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    kills, before, partly, _whole = map(int, done.stdout.split())
    assert KILLS <= kills <= 10 * KILLS
    assert before > 0, "every export was over before it was killed; the test shows nothing"
    assert partly > 0, "no kill left a part of an export; the test shows nothing"


def test_an_export_stopped_between_any_two_events_goes_on(
    project: Project, tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    export_project(project, tmp_path / "fresh")
    total = len(list(exporting_project(project, tmp_path / "counted")))
    out = tmp_path / "out"
    for stop in range(0, total, 3):
        events = exporting_project(project, out)
        for _ in range(stop):
            if not isinstance(next(events), Progress):
                break
        events.close()
        if out.exists() and not (out / "manifest.json").exists():
            with pytest.raises(DataError, match="the export was not finished"):
                verify(out)
    export_project(project, out)
    assert contents(out) == contents(tmp_path / "fresh")


def test_two_exports_do_not_write_to_one_folder(project: Project, tmp_path: Path) -> None:
    first = exporting_project(project, tmp_path / "out")
    while not (tmp_path / "out").exists():
        next(first)
    with pytest.raises(DataError, match="another export is writing there"):
        export_project(project, tmp_path / "out")
    first.close()
    export_project(project, tmp_path / "out")
    assert verify(tmp_path / "out").sound
