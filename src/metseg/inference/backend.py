"""What runs a network. One file per backend; all look the same from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError


class DeviceMemoryError(MetsegError):
    """The device ran out of memory for this batch."""


class Backend(Protocol):
    """A network on a device."""

    device: str

    def probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probability of lesion, float32 (n, height, width), of float32 (n, c, height, width) in [0, 1].

        Raises
        ------
        DeviceMemoryError
            If the batch does not fit; whatever it had taken is free again.
        """

    def close(self) -> None:
        """Free what the backend holds on its device."""


@runtime_checkable
class EnsembleBackend(Backend, Protocol):
    """A backend that can also say how far the members of an ensemble are apart."""

    def with_disagreement(
        self, images: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Probabilities as from :meth:`probabilities`, and the largest less the smallest of the members'.

        Both float32 (n, height, width), and at the cost of the first alone.
        """


BackendFactory = Callable[[Checkpoint, str], Backend]


def backend_factory(name: str) -> BackendFactory:
    """The factory ``(checkpoint, device) -> Backend`` called ``name``.

    Raises
    ------
    MetsegError
        If there is no such backend.
    """
    if name == "torch":
        from metseg.inference.torch_backend import TorchBackend

        return TorchBackend
    raise MetsegError(f"no backend is called {name!r}; there is: torch")
