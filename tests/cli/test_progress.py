"""One way for all commands to follow a stream of events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metseg.cli.progress import EventBar, follow
from metseg.errors import DataError
from metseg.events import Event, Finished, Notice, Progress


class Work:
    """A stream that remembers how far it came and whether it was closed."""

    def __init__(self, fail_at: int | None = None, raises: type[BaseException] = DataError) -> None:
        self.reached = 0
        self.closed = False
        self._fail_at, self._raises = fail_at, raises

    def stream(self) -> Iterator[Event[str]]:
        try:
            for step in range(3):
                if step == self._fail_at:
                    raise self._raises("broken")
                yield Progress(step, 3, f"step {step}")
                self.reached = step
            yield Notice("going on with the CPU [now]")
            yield Finished("done")
        finally:
            self.closed = True


def test_the_result_is_returned_and_the_stream_closed() -> None:
    work = Work()
    assert follow(work.stream(), "working") == "done"
    assert (work.reached, work.closed) == (2, True)


def test_notices_are_printed_as_they_are_and_no_control_codes_reach_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    follow(Work().stream(), "working")
    written = capsys.readouterr()
    assert "going on with the CPU [now]\n" in written.err
    assert "\x1b" not in written.err
    assert written.out == ""


@pytest.mark.parametrize("raises", [DataError, KeyboardInterrupt])
def test_an_error_passes_through(raises: type[BaseException]) -> None:
    work = Work(fail_at=1, raises=raises)
    with pytest.raises(raises):
        follow(work.stream(), "working")
    assert work.closed


def test_an_interruption_between_events_closes_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EventBar, "_show", interrupted)
    work = Work()
    with pytest.raises(KeyboardInterrupt):
        follow(work.stream(), "working")
    assert work.closed


def test_a_long_operation_says_where_it_is_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metseg.cli.progress._PLAIN_INTERVAL_S", 0.0)
    follow(Work().stream(), "working")
    assert "working: step 1 (1 of 3)" in capsys.readouterr().err
