"""How many threads a network uses on the CPU while other programs are at work."""

from __future__ import annotations

import os
import sys
import time


class ThreadCount:
    """Leaves the cores to others that they use, and takes them back when they are free."""

    def __init__(self) -> None:
        self._most = self._wanted = 0
        self._seen = (0.0, 0.0)

    @property
    def count(self) -> int:
        """How many threads a network of this process may use now."""
        return self._wanted or usual_threads()

    def adapt(self) -> int:
        """Set how many threads this process' networks use from now on, in the thread that runs them; their number."""
        self._most = max(self._most, usual_threads())
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # programs that ran or waited, last minute
        self._wanted = free_cores(load - self._own_load(), os.cpu_count() or 1, self._most)
        if "torch" in sys.modules:
            self.set_torch_threads()
        return self._wanted

    def set_torch_threads(self) -> None:
        """Set the number of threads that torch uses, in the thread that runs its networks."""
        import torch

        if self.count != torch.get_num_threads():
            torch.set_num_threads(self.count)

    def _own_load(self) -> float:
        """Cores that this process itself has used on average since the last call."""
        now = time.monotonic(), time.process_time()
        (wall, own), self._seen = self._seen, now
        return 0.0 if not wall or now[0] <= wall else (now[1] - own) / (now[0] - wall)


def usual_threads() -> int:
    """As many as OpenMP takes of itself: ``OMP_NUM_THREADS``, else the cores that this process may use."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if stated.isdecimal() and int(stated):
        return int(stated)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_cores(others: float, cores: int, most: int) -> int:
    """Threads to use beside ``others``, the load that other programs make, on so many cores: 1 to ``most``."""
    return int(min(max(round(cores - max(others, 0.0)), 1), most))


#: Of this process.
THREADS = ThreadCount()
