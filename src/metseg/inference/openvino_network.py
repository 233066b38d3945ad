"""Networks in OpenVINO's form, kept in the user's cache folder; imports no torch unless one must be converted."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.inference.threads import THREADS

#: Raised when what is kept of a network changes.
_FORMAT = 2
#: Converted networks that are kept; the one that was not used for longest goes first.
_KEPT = 24

Planes = npt.NDArray[np.float32]


def load_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import and conversion to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it fails, which is expected
    import openvino

    return cast(ModuleType, openvino)


class ConversionError(MetsegError):
    """A converted network does not answer as the original does."""


@dataclass(frozen=True, eq=False)
class ConvertedNetwork:
    """A compiled network.

    Attributes
    ----------
    compiled : openvino.CompiledModel
        Its outputs are the probability of lesion and the disagreement of an ensemble's members.
    precision : str
        ``bf16`` or ``f32``: what it computes in.
    """

    compiled: Any
    precision: str

    def run(self, images: Planes) -> tuple[Planes, Planes]:
        """Probabilities and disagreement, float32 (n, height, width), of float32 (n, c, height, width)."""
        answers = self.compiled(np.ascontiguousarray(images, np.float32))
        return np.asarray(answers[0], np.float32), np.asarray(answers[1], np.float32)


def is_converted(checkpoint: Checkpoint) -> bool:
    """Whether the network was converted and checked here before."""
    return (_folder(checkpoint) / _CHECKED).exists()


def find_converted(checkpoint: Checkpoint) -> ConvertedNetwork:
    """The converted network: from the cache, else made, checked and kept.

    Raises
    ------
    ConversionError
        If it is less exact than PyTorch by more than :mod:`metseg.inference.openvino_conversion` allows, now or when it
        was checked before.
    """
    folder = _folder(checkpoint)
    if not is_converted(checkpoint):
        make_once(folder, partial(_convert, checkpoint))
        _prune(folder.parent)
    os.utime(folder)
    reason = (folder / _CHECKED).read_text(encoding="utf-8")
    if reason:
        raise ConversionError(reason)
    return compile_network(folder / _MODEL)


_MODEL = "network.xml"
#: Empty if the network answers as the original does, else how far it is off.
_CHECKED = "checked.txt"


def _folder(checkpoint: Checkpoint) -> Path:
    name = f"{checkpoint.sha256[:24]}-{version('openvino')}-{_precision()}-{_FORMAT}"
    return cache_folder() / name


def cache_folder() -> Path:
    """Where converted networks are kept."""
    return user_cache_path("metseg") / "openvino"


def make_once(folder: Path, make: Callable[[Path], object]) -> None:
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


def _convert(checkpoint: Checkpoint, folder: Path) -> None:
    """Convert and check a network into ``folder``."""
    from metseg.inference.openvino_conversion import convert_into

    reason = convert_into(folder / _MODEL, checkpoint)
    (folder / _CHECKED).write_text(reason, encoding="utf-8")


def _prune(cache: Path) -> None:
    kept = sorted(
        (path for path in cache.iterdir() if (path / _CHECKED).exists()), key=lambda path: -path.stat().st_mtime
    )
    for old in kept[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def compile_network(model: Any, *, full_precision: bool = False) -> ConvertedNetwork:
    """Compile an ``openvino.Model``, or the file of one, for as many threads as :data:`THREADS` says."""
    openvino = load_openvino()
    precision = "f32" if full_precision else _precision()
    settings = {
        "INFERENCE_NUM_THREADS": THREADS.count,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return ConvertedNetwork(openvino.Core().compile_model(model, "CPU", settings), precision)


@cache
def _precision() -> str:
    """What this processor computes in: asked once, for it starts the whole plugin."""
    openvino = load_openvino()
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "f32"
