"""How long a work still takes is said alike wherever it is shown."""

from __future__ import annotations

import pytest

from metseg.events import Progress, RemainingTime, seconds_in_words


def test_what_is_left_follows_from_what_was_done() -> None:
    now = [0.0]
    remaining = RemainingTime(lambda: now[0])
    assert remaining.seconds(Progress(0, 10)) is None
    now[0] = 0.5
    assert remaining.seconds(Progress(1, 10)) is None, "too early to say"
    now[0] = 4.0
    assert remaining.seconds(Progress(2, 10)) == pytest.approx(16)
    assert remaining.seconds(Progress(10, 10)) is None
    now[0] = 100.0
    assert remaining.seconds(Progress(3, 40)) is None, "another work began"
    now[0] = 102.0
    assert remaining.seconds(Progress(4, 40)) == pytest.approx(72)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "about 5 s"), (23, "about 25 s"), (70, "about 1 min"), (700, "about 12 min"), (9000, "about 2.5 h")],
)
def test_times_are_rounded_as_people_do(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words
