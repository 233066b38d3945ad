"""Where the networks of a server run: in a thread of its own process, or in the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.events import Event
from metseg.inference import Backend, Segmentation, backend_devices, open_segmenter, resolve_device
from metseg.server.engine.model_thread import Cancelled, Images, ModelThread, SharedNetwork
from metseg.server.engine.work import LoadedModel, Work

T = TypeVar("T")

#: Longest side of the images a network is warmed with, where its card leaves the file's own size.
_USUAL_SIDE = 256


class WorkersLostError(MetsegError):
    """The worker that had a study ended, and so did the one that it was given to then."""


class Runner(Protocol):
    """What runs the networks.

    Attributes
    ----------
    device : str
        Where they run.
    at_once : int
        Studies that it is given at once.
    """

    device: str
    at_once: int

    @property
    def workers(self) -> int:
        """Processes that take studies now; 0 if none does."""

    @property
    def slices_waiting(self) -> int:
        """Slices that wait for a network of this process."""

    def warm(self, model: LoadedModel) -> None:
        """Make a model's network and run it once. Blocks."""

    def drop(self, model: LoadedModel) -> None:
        """Free a model's devices; a study that is still in it opens them again."""

    def stream(self, work: Work) -> Generator[Event[Segmentation], None, None]:
        """Segment a study; see :meth:`metseg.inference.Segmenter.stream`.

        Raises
        ------
        Cancelled
            If :meth:`withdraw` was called for ``work``.
        WorkersLostError
            If workers end over it.
        """

    def withdraw(self, work: Work) -> None:
        """Take a study whose ``cancelled`` is set out of the queue of networks."""

    def close(self) -> None:
        """End it, once no study is in it. Blocks."""


class ThreadRunner:
    """Runs networks in one thread of this process.

    Parameters
    ----------
    thread : ModelThread
        The thread.
    device : str
        Where networks run; see :func:`metseg.inference.resolve_device`.
    batch : int
        Slices of one study that go to a network at once.

    MetsegError if there is no such device.
    """

    workers = 1

    def __init__(self, thread: ModelThread, *, device: str, batch: int) -> None:
        self.thread = thread
        self.device = resolve_device(device, backend_devices())
        self.at_once = 2 * batch
        self._batch = batch

    @property
    def slices_waiting(self) -> int:
        """See :class:`Runner`."""
        return self.thread.slices_waiting

    def warm(self, model: LoadedModel) -> None:
        """See :class:`Runner`."""
        card = model.checkpoint.card
        side = -(-(card.preprocessing.size or _USUAL_SIDE) // card.preprocessing.multiple) * card.preprocessing.multiple
        shape = (self._batch + 2 * card.network.margin, card.preprocessing.channels, side, side)
        network = model.network(self.device)
        self.thread.call(lambda: network.probabilities(np.random.default_rng(0).random(shape, np.float32)))

    def drop(self, model: LoadedModel) -> None:
        """See :class:`Runner`."""
        for network in model.networks.values():
            self.thread.call(network.close)

    def stream(self, work: Work) -> Generator[Event[Segmentation], None, None]:
        """See :class:`Runner`."""

        def shared(checkpoint: Checkpoint, device: str) -> Backend:
            return _SharedBackend(device, work.model.network(device), self.thread, work)

        checkpoint = work.model.checkpoint
        with open_segmenter(checkpoint, device=self.device, batch_size=self._batch, backend=shared) as segmenter:
            yield from segmenter.stream(work.study, work.postprocessing)

    def withdraw(self, work: Work) -> None:
        """See :class:`Runner`."""
        self.thread.withdraw(work)

    def close(self) -> None:
        """See :class:`Runner`."""
        self.thread.close()


class _SharedBackend:
    """A network of the model thread, as one study sees it."""

    def __init__(self, device: str, network: SharedNetwork, thread: ModelThread, work: Work) -> None:
        self.device = device
        self._network = network
        self._thread = thread
        self._work = work

    @property
    def name(self) -> str:
        """Of the backend behind it, once that is open."""
        return "" if self._network.backend is None else self._network.backend.name

    @property
    def remark(self) -> str:
        """Of the backend behind it, once that is open."""
        return "" if self._network.backend is None else self._network.backend.remark

    def probabilities(self, images: Images) -> npt.NDArray[np.float32]:
        return self._run_network(self._network.probabilities, images)

    def with_disagreement(self, images: Images) -> tuple[Images, Images]:
        return self._run_network(lambda given: self._network.opened().with_disagreement(given), images)

    def close(self) -> None:
        """The network belongs to the model thread."""

    def _run_network(self, network: Callable[[Images], T], images: Images) -> T:
        if self._work.cancelled.is_set():
            raise Cancelled("the request was given up")
        return self._thread.run(network, images, self._work)
