"""One thread runs every network; slices that wait for the same one go through it together.

Slices of different studies share a batch only where that was seen to change no bit of the answer
(:attr:`Group.mergeable`), so that a mask does not depend on what else was asked for at that moment.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from metseg.errors import MetsegError
from metseg.inference import Backend, DeviceMemoryError

T = TypeVar("T")
Images = npt.NDArray[np.float32]


class Cancelled(MetsegError):
    """The work was given up."""


@dataclass(eq=False)
class Group:
    """A network on a device.

    Attributes
    ----------
    open : callable
        Makes the backend; called in the model thread when it is first needed.
    mergeable : tuple of int or None
        Shape (c, height, width) of images that may share a batch with those of other studies; ``None``: none may.
    backend : Backend or None
        The network, once it is there; belongs to the model thread.
    """

    open: Callable[[], Backend]
    mergeable: tuple[int, ...] | None = None
    backend: Backend | None = None


@dataclass(eq=False)
class _Ticket:
    """Something for the model thread to do, and what came of it."""

    owner: object
    group: Group | None = None
    images: Images | None = None
    call: Callable[[], Any] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def finish(self, result: Any = None, error: BaseException | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one image, if they may share a batch."""
        if self.group is None or self.images is None or self.images.shape[1:] != self.group.mergeable:
            return None
        return self.group.mergeable


class ModelThread:
    """Runs networks, one batch at a time.

    Parameters
    ----------
    batch : int
        Most slices of a batch that several studies share.
    patience : float
        How long, in seconds, a slice waits for others to share a batch with.
    observe : callable
        Called with the number of slices and of studies of each batch, and the seconds it took.
    """

    def __init__(self, batch: int, patience: float, observe: Callable[[int, int, float], object]) -> None:
        self._batch = batch
        self._patience = patience
        self._observe = observe
        self._waiting: deque[_Ticket] = deque()
        self._changed = threading.Condition()
        self._studies = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="metseg-model", daemon=True)
        self._thread.start()

    @property
    def slices_waiting(self) -> int:
        """Slices that wait for a network."""
        with self._changed:
            return sum(len(ticket.images) for ticket in self._waiting if ticket.images is not None)

    def close(self) -> None:
        """End the thread; what waits is given up."""
        with self._changed:
            self._closing = True
            for ticket in self._waiting:
                ticket.finish(error=Cancelled("the server is closing"))
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def attend(self, change: int) -> None:
        """Say that one study more (1) or less (-1) is going to ask for slices."""
        with self._changed:
            self._studies += change
            self._changed.notify_all()

    def probabilities(self, group: Group, images: Images, owner: object) -> npt.NDArray[np.float32]:
        """What the network says of ``images``, float32 (n, height, width); waits for its turn.

        Raises
        ------
        Cancelled
            If :meth:`withdraw` was called for ``owner``.
        DeviceMemoryError
            If the images do not fit by themselves.
        """
        result: npt.NDArray[np.float32] = self._wait_for(_Ticket(owner, group, images))
        return result

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the model thread, between two batches."""
        result: T = self._wait_for(_Ticket(None, call=work))
        return result

    def withdraw(self, owner: object) -> None:
        """Take what waits for ``owner`` out of the queue; whoever waits for it gets :class:`Cancelled`."""
        with self._changed:
            for ticket in [ticket for ticket in self._waiting if ticket.owner is owner]:
                self._waiting.remove(ticket)
                ticket.finish(error=Cancelled("the request was given up"))

    def _wait_for(self, ticket: _Ticket) -> Any:
        with self._changed:
            if self._closing:
                raise Cancelled("the server is closing")
            self._waiting.append(ticket)
            self._changed.notify_all()
        ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if batch[0].call is not None:
                _answer(batch[0], batch[0].call)
            else:
                self._pass(batch)

    def _next(self) -> list[_Ticket] | None:
        """What to do next: one call, or tickets for one batch; ``None`` to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            batch = [self._waiting.popleft()]
            if batch[0].shape is None:
                return batch
            until = time.monotonic() + self._patience
            self._take_along(batch)
            while _slices(batch) < self._batch and len(batch) < self._studies and not self._closing:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
                self._take_along(batch)
            return batch

    def _take_along(self, batch: list[_Ticket]) -> None:
        """Move tickets of the same kind from the queue into ``batch``, as far as there is room."""
        for ticket in list(self._waiting):
            same = ticket.group is batch[0].group and ticket.shape == batch[0].shape
            if same and _slices(batch) + _slices([ticket]) <= self._batch:
                self._waiting.remove(ticket)
                batch.append(ticket)

    def _pass(self, batch: list[_Ticket]) -> None:
        started = time.perf_counter()
        if len(batch) == 1:
            ticket = batch[0]
            _answer(ticket, lambda: _backend(ticket).probabilities(_images(ticket)))
        else:
            self._pass_together(batch)
        self._observe(_slices(batch), len(batch), time.perf_counter() - started)

    def _pass_together(self, batch: list[_Ticket]) -> None:
        try:
            planes = _backend(batch[0]).probabilities(np.concatenate([_images(ticket) for ticket in batch]))
        except DeviceMemoryError:
            self._batch = max(1, _slices(batch) // 2)
            for ticket in batch:
                self._pass([ticket])
        except BaseException as error:  # whoever asked must hear of it, and the thread go on
            for ticket in batch:
                ticket.finish(error=error)
        else:
            ends = np.cumsum([len(_images(ticket)) for ticket in batch])[:-1]
            for ticket, part in zip(batch, np.split(planes, ends), strict=True):
                ticket.finish(part)


def _answer(ticket: _Ticket, work: Callable[[], Any]) -> None:
    try:
        ticket.finish(work())
    except BaseException as error:  # whoever asked must hear of it, and the thread go on
        ticket.finish(error=error)


def _backend(ticket: _Ticket) -> Backend:
    assert ticket.group is not None  # noqa: S101  (tickets with images have one)
    if ticket.group.backend is None:
        ticket.group.backend = ticket.group.open()
    return ticket.group.backend


def _images(ticket: _Ticket) -> Images:
    assert ticket.images is not None  # noqa: S101
    return ticket.images


def _slices(batch: list[_Ticket]) -> int:
    return sum(len(ticket.images) for ticket in batch if ticket.images is not None)
