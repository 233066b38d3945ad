"""Networks in another form than PyTorch's, kept in the user's cache folder; torch is only imported to convert one."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path
from pydantic import BaseModel

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.events import drain
from metseg.inference.backend import ConversionError, DeviceMemoryError

if TYPE_CHECKING:
    import torch

#: Raised when what is kept of a network changes.
_FORMAT = 3
#: Converted networks of one form that are kept; the one that was not used for longest goes first.
_KEPT = 24
#: A :class:`PrecisionChoice`.
_CHECKED = "checked.json"

Planes = npt.NDArray[np.float32]
#: Probabilities and disagreement, float32 (n, height, width), of float32 (n, c, height, width).
RunNetwork = Callable[[Planes], tuple[Planes, Planes]]


class PrecisionChoice(BaseModel, frozen=True, extra="forbid"):
    """Which precision a converted network may be run in, kept beside it.

    Attributes
    ----------
    precision : str
        ``bf16`` or ``f32``; empty if neither gives the probabilities of the original.
    reason : str
        Why no faster one is; empty if it is the fastest of this processor.
    """

    precision: str
    reason: str = ""


class ConvertedBackend(ABC):
    """The checkpoint's network as another runtime runs it, an ensemble as one graph.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights and spec; converted and checked unless that was done before, which takes seconds.
    device : str
        Where it runs.

    Raises
    ------
    MetsegError
        If the runtime is not installed or cannot use the device.
    ConversionError
        If in every precision it is less exact than PyTorch by more than :mod:`metseg.inference.conversion` allows, now
        or when it was checked before.
    """

    #: What messages call the form, and the name of a converted network's file.
    form: ClassVar[str]
    file: ClassVar[str]

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self.require(device)
        self.device = device
        folder = self._folder(checkpoint, device)
        is_new = not (folder / _CHECKED).exists()
        if is_new:
            make_once(folder, partial(self._convert, checkpoint, device))
            _prune(folder.parent)
        os.utime(folder)
        choice = PrecisionChoice.model_validate_json((folder / _CHECKED).read_bytes())
        if not choice.precision:
            raise ConversionError(choice.reason)
        self._network: RunNetwork | None = self.open(folder / self.file, choice.precision, device)
        self.name = f"{self.runtime()} {choice.precision}"
        self.remark = f"{choice.reason}; {choice.precision} is used" if is_new and choice.reason else ""

    @staticmethod
    @abstractmethod
    def require(device: str) -> None:
        """Raise :class:`MetsegError` unless the runtime is installed and can use ``device``."""

    @staticmethod
    @abstractmethod
    def runtime() -> str:
        """Name and version of the runtime."""

    @staticmethod
    @abstractmethod
    def precisions(device: str) -> tuple[str, ...]:
        """What ``device`` computes in, the fastest first."""

    @staticmethod
    @abstractmethod
    def write(graph: torch.jit.ScriptModule, images: torch.Tensor, path: Path) -> None:
        """Write a traced network into ``path``, for any number of slices of any usual size.

        Parameters
        ----------
        graph : torch.jit.ScriptModule
            Answers with probabilities and disagreement.
        images : torch.Tensor
            What it was traced with, (n, channels, height, width).
        path : Path
            A file that is called :attr:`file`.
        """

    @staticmethod
    @abstractmethod
    def open(path: Path, precision: str, device: str) -> RunNetwork:
        """Load a file that :meth:`write` wrote."""

    @classmethod
    def must_convert(cls, checkpoint: Checkpoint, device: str) -> bool:
        """Whether the runtime can use ``device``, and the network was not converted for it yet."""
        try:
            cls.require(device)
        except MetsegError:
            return False
        return not (cls._folder(checkpoint, device) / _CHECKED).exists()

    @classmethod
    def _folder(cls, checkpoint: Checkpoint, device: str) -> Path:
        runtime, _, version = cls.runtime().partition(" ")
        kind = device.partition(":")[0]
        name = f"{checkpoint.sha256[:24]}-{version}-{kind}-{cls.precisions(device)[0]}-{_FORMAT}"
        return user_cache_path("metseg") / runtime / name

    @classmethod
    def _convert(cls, checkpoint: Checkpoint, device: str, folder: Path) -> None:
        from metseg.inference.conversion import converting

        choice = drain(converting(cls, checkpoint, folder / cls.file, device))
        (folder / _CHECKED).write_text(choice.model_dump_json(), encoding="utf-8")

    def probabilities(self, images: Planes) -> Planes:
        """See :class:`metseg.inference.Backend`; of several classes the likeliest counts."""
        return self.with_disagreement(images)[0]

    def with_disagreement(self, images: Planes) -> tuple[Planes, Planes]:
        """See :class:`metseg.inference.Backend`."""
        if self._network is None:
            raise RuntimeError("the backend is closed")
        try:
            return self._network(np.ascontiguousarray(images, np.float32))
        except Exception as error:  # runtimes have no narrower kind for this
            if "alloc" not in str(error).lower():
                raise
        raise DeviceMemoryError(f"{self.device} is out of memory")

    def close(self) -> None:
        """Drop the network."""
        self._network = None


def make_once(folder: Path, make: Callable[[Path], Any]) -> None:
    """Have ``make`` fill a folder of the cache, complete or not at all, unless it is there."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        make(made)
        try:
            made.rename(folder)
        except OSError:  # another process was quicker
            if not folder.exists():
                raise


def _prune(cache: Path) -> None:
    kept = sorted(
        (path for path in cache.iterdir() if (path / _CHECKED).exists()), key=lambda path: -path.stat().st_mtime
    )
    for old in kept[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
