"""What a long operation yields while it works.

A long operation is a generator of :data:`Event` that ends with one :class:`Finished`. It can be closed
between any two events. The napari activity bar, the command line's bar and a server's job consume the
same generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


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
