"""Ending a long work between two of its events when somebody asks for it, so that it can be gone on with."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import typer

from metseg.cli.console import echo, err
from metseg.events import Event, Finished, to_json

T = TypeVar("T")

#: What a shell reports of a program whose reader is gone.
_READER_GONE = 141


@contextmanager
def stopping_cleanly(hint: str) -> Iterator[Callable[[Iterable[Event[T]]], Iterator[Event[T]]]]:
    """Within, SIGTERM and Ctrl-C let the event in progress end; a second one ends the program at once.

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
                if signals and not isinstance(event, Finished):
                    break
            else:
                return
        finally:
            if isinstance(stream, Generator):
                stream.close()
        echo(err(), f"stopped; {hint}")
        raise typer.Exit(128 + signals[0])

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
