"""Freed memory is kept where the C library can be asked to."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
sys.path.insert(0, {folder!r})
import allocation
kept = allocation.keep_freed_memory() if {keep} else False
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        bytearray(32 * 2**20)[::4096]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(int(kept), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_the_same_pages_are_not_faulted_in_again() -> None:
    import metseg.training.allocation as allocation

    assert allocation.__file__ is not None
    folder = allocation.__file__.rpartition("/")[0]

    def run(keep: bool) -> list[int]:
        program = PROGRAM.format(folder=folder, keep=keep)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return [int(word) for word in done.stdout.split()]

    plain, kept = run(False), run(True)
    assert kept[0] == 1
    assert kept[1] < plain[1] / 10
