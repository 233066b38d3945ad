"""How many threads a network uses on the CPU while other programs are at work."""

from __future__ import annotations

import os
import time

import torch


class ThreadCount:
    """Leaves the cores to others that they use, and takes them back when they are free."""

    def __init__(self) -> None:
        self._most = 0
        self._seen = (0.0, 0.0)

    def adapt(self) -> int:
        """Set how many threads this process' networks use from now on, in the thread that runs them; their number."""
        self._most = max(self._most, torch.get_num_threads())
        wanted = free_cores(_load() - self._own_load(), os.cpu_count() or 1, self._most)
        if wanted != torch.get_num_threads():
            torch.set_num_threads(wanted)
        return wanted

    def _own_load(self) -> float:
        """Cores that this process itself has used on average since it was asked last."""
        now = time.monotonic(), time.process_time()
        (wall, own), self._seen = self._seen, now
        return 0.0 if not wall or now[0] <= wall else (now[1] - own) / (now[0] - wall)


def free_cores(others: float, cores: int, most: int) -> int:
    """Threads to use beside ``others``, the load that other programs make, on so many cores: 1 to ``most``."""
    return int(min(max(round(cores - max(others, 0.0)), 1), most))


def _load() -> float:
    """Programs that ran or waited for a core in the last minute, on average; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


#: Of this process.
THREADS = ThreadCount()
