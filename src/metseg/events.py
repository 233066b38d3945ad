"""What a long operation yields while it works.

A long operation is a generator of :data:`Event` that ends with one :class:`Finished`. It can be closed
between any two events. The napari activity bar, the command line's bar and a server's job consume the
same generator; between processes events go as lines of JSON (:func:`to_json`, :func:`from_json`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

#: Seconds of work from which the rest can be estimated.
_SHORTEST = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units are complete; ``what`` names the unit now worked on."""

    done: int
    total: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user must be told, such as a fall-back to another device."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned(Notice):
    """A notice that the result may be worthless; shown so that it is not overlooked."""


@dataclass(frozen=True, slots=True)
class StepFinished(Progress):
    """One step of a training is done; ``loss`` is that of its batch."""

    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class EpochFinished(Notice):
    """One epoch of a training is done and saved; ``row`` is its line in the log."""

    row: dict[str, float]


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """The last event: the operation's result."""

    result: T


Event = Progress | Notice | Finished[T]


def drain(stream: Iterable[Event[T]], on_event: Callable[[Event[T]], object] | None = None) -> T:
    """Run ``stream`` to its end and return the result.

    Parameters
    ----------
    stream : iterable of Event
        The operation.
    on_event : callable, optional
        Called with every event before the last.

    Raises
    ------
    RuntimeError
        If the stream ends without a :class:`Finished`.
    """
    for event in stream:
        if isinstance(event, Finished):
            return event.result
        if on_event is not None:
            on_event(event)
    raise RuntimeError("the operation ended without a result")


def drained(operation: Callable[P, Iterable[Event[T]]]) -> Callable[P, T]:
    """The same operation with the same arguments, run to its end: returns the result in place of the events."""

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return drain(operation(*args, **kwargs))

    return update_wrapper(run, operation)


def relay(stream: Iterator[Event[T]]) -> Generator[Progress | Notice, None, T]:
    """Yield what ``stream`` yields and return its result; ``stream`` is closed when this is.

    Raises
    ------
    RuntimeError
        If the stream ends without a :class:`Finished`.
    """
    try:
        for event in stream:
            if isinstance(event, Finished):
                return event.result
            yield event
    finally:
        if isinstance(stream, Generator):
            stream.close()
    raise RuntimeError("the operation ended without a result")


class RemainingTime:
    """Estimates how long an operation still takes, from the progress that it has told.

    Parameters
    ----------
    clock : callable
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = (0.0, Progress(0, 0))
        self._last = Progress(0, 0)

    def seconds(self, progress: Progress) -> float | None:
        """Seconds left after ``progress``; ``None`` until it can be said. Another total begins anew."""
        if progress.total != self._last.total or progress.done < self._last.done:
            self._begun = (self._clock(), progress)
        self._last = progress
        began, first = self._begun
        elapsed, done = self._clock() - began, progress.done - first.done
        if done <= 0 or elapsed < _SHORTEST or progress.done >= progress.total:
            return None
        return elapsed / done * (progress.total - progress.done)


def seconds_in_words(seconds: float) -> str:
    """A time that something still takes, as a person would say it."""
    if seconds < 60:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


_KINDS: dict[str, type[Progress] | type[Notice]] = {
    "progress": Progress,
    "notice": Notice,
    "warning": Warned,
    "step": StepFinished,
    "epoch": EpochFinished,
}
_FINISHED = "finished"


def to_json(event: Event[T], result: Callable[[T], Any]) -> str:
    """One line of JSON, without its end: ``event`` names the kind, the other keys are its fields.

    Parameters
    ----------
    event : Event
        A kind of this module; one derived from them elsewhere counts as what it is derived from.
    result : callable
        Makes JSON values of the operation's result.
    """
    if isinstance(event, Finished):
        return json.dumps({"event": _FINISHED, "result": result(event.result)})
    kinds = {kind: name for name, kind in _KINDS.items()}
    known = next(kind for kind in type(event).__mro__ if kind in kinds)
    content = asdict(event)
    return json.dumps({"event": kinds[known]} | {key: content[key] for key in known.__match_args__})


def from_json(line: str | bytes, result: Callable[[Any], T]) -> Event[T]:
    """The event in a line that :func:`to_json` wrote.

    Parameters
    ----------
    line : str or bytes
    result : callable
        Makes the operation's result of JSON values.

    Raises
    ------
    ValueError
        If the line is no event.
    """
    try:
        content = json.loads(line)
        kind = content.pop("event")
        return Finished(result(content["result"])) if kind == _FINISHED else _KINDS[kind](**content)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an event: {line!r}") from error
