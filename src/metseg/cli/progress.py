"""Streams of events on a terminal: shown with a bar or as JSON, and ended between two events on request."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import typer
from rich import progress

from metseg.cli.console import echo, err
from metseg.events import Event, Finished, Notice, Progress, Warned, drain, to_json

T = TypeVar("T")

_PLAIN_INTERVAL_S = 10.0
#: Exit status that a shell reports of a program whose reader is gone.
_READER_GONE = 141


class EventBar:
    """Follows streams of events with a bar on standard error, or with a line now and then where it is no terminal."""

    def __init__(self) -> None:
        self._console = err()
        self._last_line = time.monotonic()
        self._bar = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def follow(self, stream: Iterable[Event[T]], title: str) -> T:
        """Run ``stream`` to its end and return its result; an exception or Ctrl-C closes it where it is."""
        task = self._bar.add_task(title, total=None)
        try:
            return drain(stream, lambda event: self._show(event, task, title))
        finally:
            self._bar.remove_task(task)
            if isinstance(stream, Generator):
                stream.close()

    def _show(self, event: Event[T], task: progress.TaskID, title: str) -> None:
        match event:
            case Progress(done, total, what):
                label = title if title.startswith(what) else f"{title}: {what}"
                self._bar.update(task, completed=done, total=total or None, description=label)
                if self._bar.disable and time.monotonic() - self._last_line >= _PLAIN_INTERVAL_S:
                    self._print_line(f"{label} ({done} of {total})")
            case Warned():
                self._print_line(event.text, "bold red")
            case Notice():
                self._print_line(event.text)
            case Finished():
                pass

    def _print_line(self, line: str, style: str = "") -> None:
        self._last_line = time.monotonic()
        echo(self._console, line, style)


def follow(stream: Iterable[Event[T]], title: str) -> T:
    """Run one stream to its end under an :class:`EventBar` and return its result."""
    with EventBar() as bar:
        return bar.follow(stream, title)


def _own_signal(event: Event[Any], number: int) -> int:
    return number


@contextmanager
def stopping_cleanly(
    hint: str, agreed: Callable[[Event[Any], int], int] = _own_signal
) -> Iterator[Callable[[Iterable[Event[T]]], Iterator[Event[T]]]]:
    """Within, SIGTERM and Ctrl-C let the event in progress end; a second one ends the program at once.

    Parameters
    ----------
    hint : str
        Printed after "stopped"; nothing is, if it is empty.
    agreed : callable
        Given each event and the signal that came until then, or 0, it returns the signal to end on, or 0: for programs
        that end together.

    Yields
    ------
    callable
        Wraps a stream of events so that it is closed then; the program leaves with 128 and the signal's number.
    """
    signals: list[int] = []
    usual: dict[int, Any] = {}

    def request_stop(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        signal.signal(number, usual[number])

    def stoppable(stream: Iterable[Event[T]]) -> Iterator[Event[T]]:
        try:
            for event in stream:
                yield event
                if not isinstance(event, Finished) and (number := agreed(event, signals[0] if signals else 0)):
                    break
            else:
                return
        finally:
            if isinstance(stream, Generator):
                stream.close()
        if hint:
            echo(err(), f"stopped; {hint}")
        raise typer.Exit(128 + number)

    for stop in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(stop) is not signal.SIG_IGN:
            usual[stop] = signal.signal(stop, request_stop) or signal.SIG_DFL
    try:
        yield stoppable
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def print_events(stream: Iterable[Event[T]], result: Callable[[T], Any]) -> T:
    """Print every event as a line of JSON and return the result; if nobody reads any more, the work ends.

    Parameters
    ----------
    result : callable
        Makes JSON values of the result.
    """
    for event in stream:
        try:
            print(to_json(event, result), flush=True)
        except OSError as gone:
            if isinstance(stream, Generator):
                stream.close()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else leaving would try to write again
            raise typer.Exit(_READER_GONE) from gone
        if isinstance(event, Finished):
            return event.result
    raise RuntimeError("the operation ended without a result")
