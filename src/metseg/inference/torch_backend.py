"""PyTorch: CUDA, MPS and CPU."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from metseg.checkpoints import Checkpoint
from metseg.inference.backend import DeviceMemoryError
from metseg.inference.devices import autocast_dtype
from metseg.inference.threads import THREADS
from metseg.networks import Ensemble
from metseg.networks.ensemble import mean_logit

Planes = npt.NDArray[np.float32]
_PRECISION = {None: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}


class TorchBackend:
    """The checkpoint's network in channels-last layout, in bf16 where the device is faster with it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights and spec.
    device : str
        A device that :func:`metseg.inference.available_devices` names.
    full_precision : bool
        Compute in fp32 wherever it runs.

    Raises
    ------
    DeviceMemoryError
        If the weights alone do not fit.
    """

    def __init__(self, checkpoint: Checkpoint, device: str, *, full_precision: bool = False) -> None:
        self.device = device
        self.remark = ""
        if device == "cpu":
            THREADS.set_torch_threads()
        self._dtype = None if full_precision else autocast_dtype(device)
        try:
            self._network: torch.nn.Module | None = (
                checkpoint.network().to(device).to(memory_format=torch.channels_last)
            )
        except (torch.OutOfMemoryError, RuntimeError) as error:
            raise _memory_error(error, device) from None

    @property
    def name(self) -> str:
        """PyTorch's version, and the precision of the convolutions."""
        return f"torch {torch.__version__.partition('+')[0]} {_PRECISION[self._dtype]}"

    def probabilities(self, images: Planes) -> Planes:
        """See :class:`metseg.inference.Backend`; of several classes the likeliest counts."""
        return self.with_disagreement(images)[0]

    def with_disagreement(self, images: Planes) -> tuple[Planes, Planes]:
        """See :class:`metseg.inference.Backend`."""
        if self._network is None:
            raise RuntimeError("the backend is closed")
        try:
            return _run(self._network, images, self.device, self._dtype)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            memory_error = _memory_error(error, self.device)
        if self.device == "cpu":
            _onednn.has_failed = True
        free_cached(self.device)
        raise memory_error

    def close(self) -> None:
        """Drop the network and hand the device's cached memory back."""
        self._network = None
        free_cached(self.device)


def _run(network: torch.nn.Module, images: Planes, device: str, dtype: torch.dtype | None) -> tuple[Planes, Planes]:
    """Probabilities and disagreement, of several classes the largest."""
    if _onednn.has_failed:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_run, network, images, device, dtype).result()
    batch = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast(device.partition(":")[0], dtype, enabled=dtype is not None):
        if not isinstance(network, Ensemble):
            planes: Planes = network(batch).float().sigmoid().amax(dim=1).cpu().numpy()
            return planes, np.zeros_like(planes)
        members = network.member_probabilities(batch)
        apart = members.amax(dim=0) - members.amin(dim=0)
        return mean_logit(members).sigmoid().amax(dim=1).cpu().numpy(), apart.amax(dim=1).cpu().numpy()


class _OneDnn(threading.local):
    """Whether oneDNN got no memory in this thread: then it makes no further kernel there, however much is free."""

    has_failed = False


_onednn = _OneDnn()


def free_cached(device: str) -> None:
    """Hand memory that PyTorch keeps for reuse back to the device."""
    if device == "cpu":
        return
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


_ABOUT_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "bad_alloc",
    "can't start new thread",
    "could not create a primitive",
    "could not create a memory",
)


def _memory_error(error: RuntimeError, device: str) -> DeviceMemoryError:
    """``error`` as :class:`DeviceMemoryError` if it is about memory; anything else is raised as it is.

    CPU and MPS allocators raise a plain RuntimeError, and so does oneDNN, which names the step that got no memory.
    """
    text = str(error).lower()
    if isinstance(error, torch.OutOfMemoryError) or any(part in text for part in _ABOUT_MEMORY):
        return DeviceMemoryError(f"{device} is out of memory")
    raise error
