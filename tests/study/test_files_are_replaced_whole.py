"""What is written replaces the old file in one step, also when the writer is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.study import read_tiff, sweep_leftovers, write_atomically, write_tiff
from metseg.study.files import TEMPORARY_PREFIX

KILLS = 25

#: Forks a writer that replaces a TIFF as fast as it can, kills it, looks at what is left; again and again.
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
import imagecodecs, numpy, tifffile
from metseg.study import read_tiff, write_tiff

path, kills = Path(sys.argv[1]), int(sys.argv[2])
pages = numpy.random.default_rng(0).integers(0, 255, (24, 64, 64), numpy.uint8)
write_tiff(path, pages, spacing=(1, 1, 1))
random.seed(7)
leftovers = rewritten = 0
for round in range(kills):
    before = path.stat().st_mtime_ns
    child = os.fork()
    if child == 0:
        while True:
            write_tiff(path, pages, spacing=(1, 1, 1))
    while path.stat().st_mtime_ns == before:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    numpy.testing.assert_array_equal(read_tiff(path)[:, 0], pages)
    rewritten += 1
    leftovers += sum(name.startswith(".metseg-tmp-") for name in os.listdir(path.parent))
print(rewritten, leftovers)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="writers are forked and killed as on POSIX systems")
def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(path), str(KILLS)], capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    rewritten, leftovers = map(int, done.stdout.split())
    assert rewritten == KILLS
    assert leftovers > 0, "no kill hit a writer at work; the test shows nothing"
    sweep_leftovers(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mask.json", "mask.tif"]


def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; from metseg.study import write_atomically\n"
            "with write_atomically(sys.argv[1]) as path: path.write_bytes(b'half'); os._exit(0)",
            str(tmp_path / "a.json"),
        ],
        timeout=60,
    )
    assert child.returncode == 0
    [leftover] = tmp_path.iterdir()
    assert leftover.name.startswith(TEMPORARY_PREFIX)
    assert leftover.read_bytes() == b"half"
    with write_atomically(tmp_path / "b.json") as path:
        path.write_bytes(b"whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.json"]


def test_files_of_writers_at_work_are_not_swept(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "a") as mine:
        foreign = tmp_path / f"{TEMPORARY_PREFIX}00000000-999999999-00000000-b"
        foreign.touch()
        unknown = tmp_path / f"{TEMPORARY_PREFIX}notes"
        unknown.touch()
        assert sweep_leftovers(tmp_path) == []
        long_ago = time.time() - 2 * 86_400
        os.utime(foreign, (long_ago, long_ago))
        assert sweep_leftovers(tmp_path) == [foreign]
        assert mine.exists()
        assert unknown.exists()


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail() -> None:
        with write_atomically(path) as temporary:
            temporary.write_text("new")
            raise KeyError("interrupted")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_keeps_suffix_and_folder(tmp_path: Path) -> None:
    with write_atomically(tmp_path / ("ä" * 100 + ".npy")) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npy"
        np.save(temporary, np.arange(3))
    np.testing.assert_array_equal(np.load(tmp_path / ("ä" * 100 + ".npy")), np.arange(3))


@pytest.mark.skipif(os.name != "posix", reason="links and permissions are set this way only on POSIX systems")
def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(real)
    with write_atomically(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written: No such file"):
        write_tiff(tmp_path / "none" / "a.tif", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"a\.tif: cannot be written"), write_atomically(tmp_path / "none" / "a.tif"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files stands for a full disk")
def test_a_disk_that_takes_no_more_is_a_named_error(tmp_path: Path) -> None:
    import resource
    import signal

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    write_tiff(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(DataError, match="cannot be written: File too large"):
            write_tiff(tmp_path / "a.tif", noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]
    assert read_tiff(tmp_path / "a.tif").shape == (1, 1, 4, 4)
