"""OpenVINO: the network as one graph on an x86 CPU, several times as fast there as PyTorch."""

from __future__ import annotations

import platform
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.inference.backend import DeviceMemoryError
from metseg.inference.openvino_network import ConvertedNetwork, find_converted, is_converted


def can_use(device: str) -> bool:
    """Whether ``device`` is an x86 CPU and OpenVINO is installed."""
    return device == "cpu" and platform.machine().lower() in {"x86_64", "amd64"} and find_spec("openvino") is not None


def must_convert(checkpoint: Checkpoint, device: str) -> bool:
    """Whether OpenVINO runs on ``device``, and the network was not converted for it yet."""
    return can_use(device) and not is_converted(checkpoint)


class OpenVinoBackend:
    """The checkpoint's network as OpenVINO runs it, in bf16 where the processor has it and the network is as exact.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights and spec; converted unless that was done before, which takes seconds.
    device : str
        ``cpu``.

    Raises
    ------
    MetsegError
        If OpenVINO is not installed, or the device is another.
    ConversionError
        If the converted network answers as the original does in no precision.
    """

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        if not can_use(device):
            raise MetsegError(
                f"OpenVINO runs on x86 CPUs where it is installed (pip install openvino); the device is {device}"
            )
        self.device = device
        is_new = not is_converted(checkpoint)
        network = find_converted(checkpoint)
        self.name = f"openvino {version('openvino').partition('-')[0]} {network.precision}"
        self.remark = f"{network.reason}; {network.precision} is used" if is_new and network.reason else ""
        self._network: ConvertedNetwork | None = network

    def probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See :class:`metseg.inference.Backend`; of several classes the likeliest counts."""
        return self._run(images)[0]

    def with_disagreement(
        self, images: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """See :class:`metseg.inference.EnsembleBackend`; a single network agrees with itself."""
        planes, apart = self._run(images)
        return planes, apart

    def _run(self, images: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        if self._network is None:
            raise RuntimeError("the backend is closed")
        try:
            return self._network.run(images)
        except RuntimeError as error:
            if "alloc" not in str(error).lower():
                raise
        raise DeviceMemoryError(f"{self.device} is out of memory")

    def close(self) -> None:
        """Drop the network."""
        self._network = None
