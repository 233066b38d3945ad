"""How many threads a network uses on the CPU while other programs are at work."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass

import psutil

#: Seconds over which the use of the cores is measured: it was another before that, and is not known in less.
_SHORTEST, _LONGEST = 0.1, 10.0
#: The number of threads changes when so many cores more or less than that are free.
_CLEARLY = 0.75
#: Kinds of processor time in which programs run.
_BUSY = ("user", "nice", "system", "irq", "softirq")


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds since some start: of the clock, of all cores at work, and of this process' share of these."""

    clock: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> ProcessorTime:
        """As it is now."""
        times = psutil.cpu_times()
        return cls(time.monotonic(), sum(getattr(times, kind, 0.0) for kind in _BUSY), time.process_time())

    def others_since(self, before: ProcessorTime) -> float:
        """How many cores other programs have used on average since then."""
        return max((self.busy - before.busy) - (self.own - before.own), 0.0) / (self.clock - before.clock)


class ThreadCount:
    """Leaves the cores to others that they use, and takes them back when they are free."""

    def __init__(self) -> None:
        self._most = self._wanted = 0
        self._lock = threading.Lock()
        self._measured = ProcessorTime.now()

    @property
    def count(self) -> int:
        """How many threads a network of this process may use now."""
        return self._wanted or usual_threads()

    def adapt(self) -> int:
        """Set how many threads this process' networks use from now on, in the thread that runs them; their number."""
        with self._lock:
            self._most = max(self._most, usual_threads())
            if not self._wanted or time.monotonic() - self._measured.clock >= _SHORTEST:
                free = free_cores(self._others(), os.cpu_count() or 1, self._most)
                if not self._wanted or abs(free - self._wanted) > _CLEARLY:
                    self._wanted = round(free)
        if "torch" in sys.modules:
            self.set_torch_threads()
        return self._wanted

    def set_torch_threads(self) -> None:
        """Set the number of threads that torch uses, in the thread that runs its networks."""
        import torch

        if self.count != torch.get_num_threads():
            torch.set_num_threads(self.count)

    def release(self) -> None:
        """Give torch the number of threads again that it had before: a training may follow in this process."""
        if "torch" in sys.modules and self._most:
            import torch

            torch.set_num_threads(self._most)
        self._most = 0

    def _others(self) -> float:
        """Cores that other programs use: since the last call, or now if that was just now or long ago."""
        if not _SHORTEST <= time.monotonic() - self._measured.clock <= _LONGEST:
            self._measured = ProcessorTime.now()
            time.sleep(_SHORTEST)
        before, self._measured = self._measured, ProcessorTime.now()
        return self._measured.others_since(before)


def usual_threads() -> int:
    """As many as OpenMP takes of itself: ``OMP_NUM_THREADS``, else the cores that this process may use."""
    if "torch" in sys.modules:
        import torch

        return torch.get_num_threads()
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if stated.isdecimal() and int(stated):
        return int(stated)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_cores(others: float, cores: int, most: int) -> float:
    """Cores that are left beside ``others``, which other programs use, of so many: 1 to ``most``."""
    return min(max(cores - others, 1.0), float(most))


#: Of this process.
THREADS = ThreadCount()
