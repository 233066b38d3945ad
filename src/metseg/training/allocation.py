"""Keeping memory that training frees and takes again at every step (Linux with glibc)."""

from __future__ import annotations

import ctypes
import platform
import sys

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Let the C allocator keep what is freed, for the rest of this process; ``False`` where it is not glibc's.

    By default glibc takes every large tensor from the kernel and hands it back when it is freed, so each step of a
    training on the CPU pays for the same pages again. Afterwards large blocks come from the heap, and the heap is not
    trimmed (``mallopt(3)``: ``M_MMAP_MAX`` 0, ``M_TRIM_THRESHOLD`` -1). The process then keeps its largest size until
    it ends, which is why this is for commands that only train.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
