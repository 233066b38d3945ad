"""A network on the CPU leaves cores to other programs."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from metseg.inference.threads import ProcessorTime, ThreadCount, free_cores


@pytest.mark.parametrize(
    ("others", "cores", "most", "expected"),
    [(0.0, 8, 8, 8), (3.0, 8, 8, 5), (3.0, 8, 4, 4), (20.0, 8, 8, 1), (0.5, 2, 2, 1.5)],
)
def test_as_many_threads_as_cores_are_free(others: float, cores: int, most: int, expected: float) -> None:
    assert free_cores(others, cores, most) == expected


def test_threads_come_back_when_the_machine_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from metseg.inference import threads

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
        monkeypatch.setattr(threads, "_SHORTEST", 0.0)
        count = ThreadCount()
        for others, expected in ((0.0, 4), (0.6, 4), (3.2, 1), (2.6, 1), (0.0, 4), (3.2, 1)):
            monkeypatch.setattr(count, "_others", lambda others=others: others)
            assert count.adapt() == torch.get_num_threads() == expected
        count.release()
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_the_own_work_and_that_of_programs_that_have_ended_do_not_count() -> None:
    before, now = ProcessorTime(10.0, 500.0, 3.0), ProcessorTime(12.0, 503.0, 4.0)
    assert now.others_since(before) == 1.0


def test_a_program_at_work_is_noticed() -> None:
    loop = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            before = ProcessorTime.now()
            while (now := ProcessorTime.now()).clock - before.clock < 0.5:
                time.sleep(0)
            assert now.others_since(before) > 0.2
        finally:
            busy.kill()
