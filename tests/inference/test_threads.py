"""A network on the CPU leaves cores to other programs."""

from __future__ import annotations

import pytest

from metseg.inference.threads import ThreadCount, free_cores


@pytest.mark.parametrize(
    ("others", "cores", "most", "expected"),
    [(0.0, 8, 8, 8), (3.1, 8, 8, 5), (3.1, 8, 4, 4), (20.0, 8, 8, 1), (-0.5, 2, 2, 2), (1.6, 2, 2, 1)],
)
def test_as_many_threads_as_cores_are_free(others: float, cores: int, most: int, expected: int) -> None:
    assert free_cores(others, cores, most) == expected


def test_threads_come_back_when_the_machine_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from metseg.inference import threads

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
        count = ThreadCount()
        for load, expected in ((0.0, 4), (3.2, 1), (0.0, 4)):
            monkeypatch.setattr(threads.os, "getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
            monkeypatch.setattr(count, "_own_load", lambda: 0.0)
            assert count.adapt() == torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
