"""The one place where a stream of events becomes something to look at."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Self, TypeVar

from rich import progress

from metseg.cli.console import echo, err
from metseg.events import Event, Finished, Notice, Progress, Warned, drain

T = TypeVar("T")

_PLAIN_INTERVAL_S = 10.0


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
