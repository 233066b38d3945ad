"""What runs a network. One file per backend; all look the same from outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.inference.devices import available_devices


class DeviceMemoryError(MetsegError):
    """The device ran out of memory for this batch."""


class ConversionError(MetsegError):
    """A network cannot be brought into another form, or gives other probabilities there."""


class Backend(Protocol):
    """A network on a device.

    Attributes
    ----------
    device : str
        Where it runs.
    """

    device: str

    @property
    def remark(self) -> str:
        """What a user should know of how it was chosen, when it is chosen first; usually empty."""

    @property
    def name(self) -> str:
        """What runs the network, in which version and precision."""

    def probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probability of lesion, float32 (n, height, width), of float32 (n, c, height, width) in [0, 1].

        Raises
        ------
        DeviceMemoryError
            If the batch does not fit; whatever it had taken is free again.
        """

    def with_disagreement(
        self, images: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Probabilities, and the largest less the smallest of an ensemble's members; 0 of a single network.

        Both float32 (n, height, width), and at the cost of the first alone.
        """

    def close(self) -> None:
        """Free what the backend holds on its device."""


BackendFactory = Callable[[Checkpoint, str], Backend]

#: Module and class of every backend; ``auto`` takes OpenVINO on x86 CPUs where it is installed, else PyTorch.
BACKENDS = {
    "torch": ("torch_backend", "TorchBackend"),
    "openvino": ("openvino_backend", "OpenVinoBackend"),
    "onnx": ("onnx_backend", "OnnxBackend"),
}
#: The one that ``auto`` in this process means, whatever is installed.
ENVIRONMENT = "METSEG_BACKEND"


def uses_openvino(device: str) -> bool:
    """Whether ``auto`` runs networks with OpenVINO on ``device``."""
    from metseg.inference.openvino_backend import can_use

    return os.environ.get(ENVIRONMENT, "auto") != "torch" and can_use(device)


def backend_factory(name: str = "auto") -> BackendFactory:
    """The factory ``(checkpoint, device) -> Backend`` called ``name``.

    Raises
    ------
    MetsegError
        If there is no such backend.
    """
    wanted = _meant(name)
    if wanted == "auto":
        return _fastest
    if wanted not in BACKENDS:
        raise MetsegError(f"no backend is called {name!r}; there are: auto, {', '.join(BACKENDS)}")
    module, made = BACKENDS[wanted]
    factory: BackendFactory = getattr(import_module(f"metseg.inference.{module}"), made)
    return factory


def backend_devices(name: str = "auto") -> list[str]:
    """Devices that the backend called ``name`` runs on here, the fastest first."""
    match _meant(name):
        case "openvino":
            return ["cpu"]
        case "onnx":
            from metseg.inference.onnx_backend import onnx_devices

            return onnx_devices()
    return available_devices()


def _meant(name: str) -> str:
    return os.environ.get(ENVIRONMENT, name) if name == "auto" else name


def preparation(factory: BackendFactory, checkpoint: Checkpoint, device: str) -> str:
    """What ``factory`` does once for a network, which takes a while; empty if nothing."""
    from metseg.inference.converted import ConvertedBackend
    from metseg.inference.openvino_backend import OpenVinoBackend

    made = OpenVinoBackend if factory is _fastest else factory
    if isinstance(made, type) and issubclass(made, ConvertedBackend) and made.must_convert(checkpoint, device):
        return f"preparing {checkpoint.card.name} for this processor (once)"
    return ""


def _fastest(checkpoint: Checkpoint, device: str) -> Backend:
    from metseg.inference.openvino_backend import OpenVinoBackend, can_use

    remark = ""
    if can_use(device):
        is_new = OpenVinoBackend.must_convert(checkpoint, device)
        try:
            return OpenVinoBackend(checkpoint, device)
        except ConversionError as error:
            remark = f"{error}; PyTorch is used" if is_new else ""
    from metseg.inference.torch_backend import TorchBackend

    backend = TorchBackend(checkpoint, device)
    backend.remark = remark
    return backend
