"""One thread runs every network, a few slices of one study at a time, in the order in which they were asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from metseg.errors import MetsegError
from metseg.inference import Backend

T = TypeVar("T")
Images = npt.NDArray[np.float32]


class Cancelled(MetsegError):
    """The work was given up."""


@dataclass(eq=False)
class SharedNetwork:
    """A network on a device.

    Attributes
    ----------
    open : callable
        Makes the backend; called in the model thread when it is first needed.
    backend : Backend or None
        The network, once it is there; belongs to the model thread.
    """

    open: Callable[[], Backend]
    backend: Backend | None = None

    def opened(self) -> Backend:
        """The network, which is opened if it must be."""
        if self.backend is None:
            self.backend = self.open()
        return self.backend

    def probabilities(self, images: Images) -> npt.NDArray[np.float32]:
        """What the network says of ``images``, float32 (n, height, width)."""
        return self.opened().probabilities(images)

    def close(self) -> None:
        """Free the device; asked again, the network is opened again."""
        if self.backend is not None:
            self.backend.close()
            self.backend = None


class ModelThread:
    """Runs networks, one after the other.

    Parameters
    ----------
    observe : callable
        Called with the number of slices of each pass through a network, and the seconds it took.
    """

    def __init__(self, observe: Callable[[int, float], object]) -> None:
        self._observe = observe
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="metseg-model")
        self._waiting: dict[Future[Any], tuple[object, int]] = {}
        self._lock = threading.Lock()

    @property
    def slices_waiting(self) -> int:
        """Slices that wait for a network."""
        with self._lock:
            waiting = [future for future in self._waiting if not (future.running() or future.done())]
            return sum(self._waiting[future][1] for future in waiting)

    def close(self) -> None:
        """End the thread; what waits is given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, network: Callable[[Images], T], images: Images, owner: object) -> T:
        """The output of ``network`` for ``images``, float32 (n, c, height, width); waits for its turn.

        Raises
        ------
        Cancelled
            If :meth:`withdraw` was called for ``owner``.
        DeviceMemoryError
            If the images do not fit by themselves.
        """

        def work() -> T:
            started = time.perf_counter()
            result = network(images)
            self._observe(len(images), time.perf_counter() - started)
            return result

        return self._wait_for(work, owner, len(images))

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the model thread, between two passes."""
        return self._wait_for(work, None, 0)

    def withdraw(self, owner: object) -> None:
        """Take what waits for ``owner`` out of the queue; whoever waits for it gets :class:`Cancelled`."""
        with self._lock:
            given_up = [future for future, (of, _) in self._waiting.items() if of is owner]
        for future in given_up:
            future.cancel()

    def _wait_for(self, work: Callable[[], T], owner: object, slices: int) -> T:
        with self._lock:
            try:
                future = self._pool.submit(work)
            except RuntimeError as error:
                raise Cancelled("the server is closing") from error
            self._waiting[future] = (owner, slices)
        try:
            return future.result()
        except CancelledError as error:
            raise Cancelled("the request was given up") from error
        finally:
            with self._lock:
                del self._waiting[future]
