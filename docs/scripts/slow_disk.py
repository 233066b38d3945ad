"""Run a command whose temporary files lie on a slow disk.

    apt-get install -y fuse3 && pip install mfusepy
    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/slow_disk.py --delay 150 \
        python docs/scripts/measure_stalls.py DATA

The disk is a folder that is passed through FUSE: opening, creating, writing, fsync, renaming, deleting and making a
folder each wait first. TMPDIR names it while the command runs. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mfusepy import FUSE, Operations

_ATTRIBUTES = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
_TIMES = ("st_atime", "st_mtime", "st_ctime")
_SPACE = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail", "f_namemax")


class SlowDisk(Operations):
    """Passes everything on to a folder, and waits before what a slow disk is slow at.

    Parameters
    ----------
    behind : Path
        The folder.
    delay : float
        Seconds.
    """

    use_ns = True

    def __init__(self, behind: Path, delay: float) -> None:
        self._behind = str(behind)
        self._delay = delay

    def _at(self, path: str) -> str:
        return self._behind + path

    def _wait(self) -> None:
        time.sleep(self._delay)

    # What waits

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        self._wait()
        return os.open(self._at(path), flags)

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make and open a file."""
        self._wait()
        return os.open(self._at(path), flags | os.O_CREAT, mode)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write, up to 128 KiB at a time."""
        self._wait()
        return os.pwrite(fh, data, offset)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Have a file on the disk."""
        self._wait()
        os.fsync(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        """Have a folder's names on the disk."""
        self._wait()
        return 0

    def rename(self, old: str, new: str) -> int:
        """Rename, in place of what is there."""
        self._wait()
        os.replace(self._at(old), self._at(new))
        return 0

    def unlink(self, path: str) -> int:
        """Delete a file."""
        self._wait()
        os.unlink(self._at(path))
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a folder."""
        self._wait()
        os.mkdir(self._at(path), mode)
        return 0

    # What does not

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Size, owner, times."""
        found = os.lstat(self._at(path))
        times = {name: getattr(found, f"{name}_ns") for name in _TIMES}
        return {name: getattr(found, name) for name in _ATTRIBUTES} | times

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read."""
        return os.pread(fh, size, offset)

    def readdir(self, path: str, fh: int) -> Iterator[str]:
        """Names in a folder."""
        yield from (".", "..", *os.listdir(self._at(path)))

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut a file."""
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def release(self, path: str, fh: int) -> int:
        """Close a file."""
        os.close(fh)
        return 0

    def rmdir(self, path: str) -> int:
        """Delete a folder."""
        os.rmdir(self._at(path))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        """Set permissions."""
        os.chmod(self._at(path), mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set times."""
        os.utime(self._at(path), ns=times) if times else os.utime(self._at(path))
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        """Room that is left."""
        found = os.statvfs(self._at(path))
        return {name: getattr(found, name) for name in _SPACE}


def serve(behind: Path, mount: Path, delay: float) -> None:
    """Mount, and answer until it is unmounted."""
    FUSE(SlowDisk(behind, delay), str(mount), foreground=True)


def main() -> int:
    """Mount, run the command, unmount; the command's exit status."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--delay", type=float, default=150, help="milliseconds")
    options.add_argument("command", nargs=argparse.REMAINDER)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        behind, mount = Path(scratch, "behind"), Path(scratch, "slow")
        behind.mkdir()
        mount.mkdir()
        server = multiprocessing.Process(target=serve, args=(behind, mount, given.delay / 1000))
        server.start()
        while not mount.is_mount():
            if not server.is_alive():
                raise SystemExit("nothing was mounted: is fuse3 installed, and /dev/fuse there?")
            time.sleep(0.05)
        try:
            return subprocess.run(given.command, env=os.environ | {"TMPDIR": str(mount)}, check=False).returncode  # noqa: S603
        finally:
            subprocess.run(["fusermount3", "-u", str(mount)], check=False)  # noqa: S603, S607
            server.join()


if __name__ == "__main__":
    sys.exit(main())
