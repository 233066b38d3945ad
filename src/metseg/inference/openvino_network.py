"""Networks in OpenVINO's form, kept in the user's cache folder; imports no torch unless one must be converted."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict

from metseg.checkpoints import Checkpoint
from metseg.inference.backend import ConversionError
from metseg.inference.threads import THREADS

#: Raised when what is kept of a network changes.
_FORMAT = 3
#: Converted networks that are kept; the one that was not used for longest goes first.
_KEPT = 24

Planes = npt.NDArray[np.float32]


def load_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import and conversion to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it fails, which is expected
    import openvino

    return cast(ModuleType, openvino)


class PrecisionChoice(BaseModel):
    """Which precision a converted network may be run in, kept beside it.

    Attributes
    ----------
    precision : str
        ``bf16`` or ``f32``; empty if neither answers as the original does.
    reason : str
        Why no faster one is; empty if it is the fastest of this processor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: str
    reason: str = ""


@dataclass(frozen=True, eq=False)
class ConvertedNetwork:
    """A compiled network.

    Attributes
    ----------
    compiled : openvino.CompiledModel
        Its outputs are the probability of lesion and the disagreement of an ensemble's members.
    precision : str
        ``bf16`` or ``f32``: what it computes in.
    reason : str
        Why it does not compute in a faster one that the processor has; empty if it does.
    """

    compiled: Any
    precision: str
    reason: str = ""

    def run(self, images: Planes) -> tuple[Planes, Planes]:
        """Probabilities and disagreement, float32 (n, height, width), of float32 (n, c, height, width)."""
        answers = self.compiled(np.ascontiguousarray(images, np.float32))
        return np.asarray(answers[0], np.float32), np.asarray(answers[1], np.float32)

    def probabilities(self, images: Planes) -> Planes:
        """The first of what :meth:`run` returns."""
        return self.run(images)[0]


def is_converted(checkpoint: Checkpoint) -> bool:
    """Whether the network was converted and checked here before."""
    return (_folder(checkpoint) / _CHECKED).exists()


def find_converted(checkpoint: Checkpoint) -> ConvertedNetwork:
    """The converted network in the fastest precision that passes the check; from the cache, else made now and kept.

    Raises
    ------
    ConversionError
        If in every precision it is less exact than PyTorch by more than :mod:`metseg.inference.agreement` allows, now
        or when it was checked before.
    """
    folder = _folder(checkpoint)
    if not is_converted(checkpoint):
        make_once(folder, partial(_convert, checkpoint))
        _prune(folder.parent)
    os.utime(folder)
    choice = PrecisionChoice.model_validate_json((folder / _CHECKED).read_bytes())
    if not choice.precision:
        raise ConversionError(choice.reason)
    return replace(compile_network(folder / _MODEL, choice.precision), reason=choice.reason)


_MODEL = "network.xml"
#: A :class:`PrecisionChoice`.
_CHECKED = "checked.json"


def _folder(checkpoint: Checkpoint) -> Path:
    name = f"{checkpoint.sha256[:24]}-{version('openvino')}-{precisions()[0]}-{_FORMAT}"
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

    choice = convert_into(folder / _MODEL, checkpoint)
    (folder / _CHECKED).write_text(choice.model_dump_json(), encoding="utf-8")


def _prune(cache: Path) -> None:
    kept = sorted(
        (path for path in cache.iterdir() if (path / _CHECKED).exists()), key=lambda path: -path.stat().st_mtime
    )
    for old in kept[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def compile_network(model: Any, precision: str) -> ConvertedNetwork:
    """Compile an ``openvino.Model``, or the file of one, for as many threads as :data:`THREADS` says."""
    openvino = load_openvino()
    settings = {
        "INFERENCE_NUM_THREADS": THREADS.count,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return ConvertedNetwork(openvino.Core().compile_model(model, "CPU", settings), precision)


@cache
def precisions() -> tuple[str, ...]:
    """What this processor computes in, the fastest first: asked once, for it starts the whole plugin."""
    openvino = load_openvino()
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "f32") if "BF16" in capabilities else ("f32",)
