"""Networks in OpenVINO's form: converted once, checked against PyTorch, kept in the user's cache folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import torch
from platformdirs import user_cache_path
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.errors import MetsegError
from metseg.inference.torch_backend import TorchBackend
from metseg.metrics import overlap
from metseg.networks import Ensemble
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence
from metseg.synthetic import synthetic_study

#: By how much less than PyTorch's the converted network's masks may agree with those of full precision, in Dice: on
#: average over the heads, and on any of them.
MEAN_CHANGE: Final = 0.002
WORST_CHANGE: Final = 0.01
#: Largest mean difference of probabilities on a head.
PROBABILITY_CHANGE: Final = 0.001

#: Raised when what is kept of a network changes.
_FORMAT = 2
#: Heads that both forms are asked about, by seed, their slices and the side of these in pixels.
_HEADS, _SLICES, _SIDE = (0, 1, 2), 8, 128
#: Side in pixels of the slices that a network is traced with; InceptionV3 takes none of 64.
_EXAMPLE = 128
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
        If it is less exact than PyTorch by more than :data:`MEAN_CHANGE` or :data:`WORST_CHANGE`, now or when it was
        checked before.
    """
    folder = _folder(checkpoint)
    if not is_converted(checkpoint):
        _keep(checkpoint, folder)
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
    return _cache() / name


def _cache() -> Path:
    return user_cache_path("metseg") / "openvino"


def _keep(checkpoint: Checkpoint, folder: Path) -> None:
    """Convert and check a network into ``folder``, complete or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        reason = _converted_into(made / _MODEL, checkpoint)
        (made / _CHECKED).write_text(reason, encoding="utf-8")
        try:
            made.rename(folder)
        except OSError:  # another process was quicker
            if not is_converted(checkpoint):
                raise
    _prune(folder.parent)


def _converted_into(path: Path, checkpoint: Checkpoint) -> str:
    """Convert a network and say why it cannot be used; nothing if it can."""
    try:
        model = convert_network(checkpoint.network(), checkpoint.card.preprocessing.channels)
    except RuntimeError as error:
        return f"{checkpoint.card.name} has no OpenVINO form: {str(error).partition(chr(10))[0]}"
    load_openvino().save_model(model, path, compress_to_fp16=True)
    return _difference(checkpoint, compile_network(path))


def _prune(cache: Path) -> None:
    kept = sorted(
        (path for path in cache.iterdir() if (path / _CHECKED).exists()), key=lambda path: -path.stat().st_mtime
    )
    for old in kept[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


class _Answers(nn.Module):
    """What a backend is asked for, as one graph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if isinstance(self.network, Ensemble):
            answers = self.network.answers(images)
            return answers.mean(dim=0).amax(dim=1), (answers.amax(dim=0) - answers.amin(dim=0)).amax(dim=1)
        planes = self.network(images).float().sigmoid().amax(dim=1)
        return planes, torch.zeros_like(planes)


def convert_network(network: nn.Module, channels: int) -> Any:
    """An ``openvino.Model`` of a network with so many input channels, for any number of slices of any usual size."""
    openvino = load_openvino()
    with warnings.catch_warnings(), torch.inference_mode():
        for kind in (torch.jit._trace.TracerWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        return openvino.convert_model(
            _Answers(network.eval()),
            example_input=torch.rand(8, channels, _EXAMPLE, _EXAMPLE),
            input=[openvino.PartialShape([-1, channels, -1, -1])],
        )


def compile_network(model: Any, *, full_precision: bool = False) -> ConvertedNetwork:
    """Compile an ``openvino.Model``, or the file of one, for as many threads as PyTorch uses."""
    openvino = load_openvino()
    precision = "f32" if full_precision else _precision()
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
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


def _difference(checkpoint: Checkpoint, converted: ConvertedNetwork) -> str:
    """How much farther the converted network is from full precision than PyTorch's usual one; empty if no farther."""
    card = checkpoint.card
    precise, usual = TorchBackend(checkpoint, "cpu", full_precision=True), TorchBackend(checkpoint, "cpu")
    lost: list[float] = []
    for seed in _HEADS:
        study = synthetic_study(seed, slices=_SLICES, size=_SIDE)
        voxels = study.select([Sequence(name) for name in card.preprocessing.sequences])
        images = Preprocessor(card.preprocessing, voxels).images(range(_SLICES))
        expected, found = precise.probabilities(images), converted.run(images)[0]
        if (apart := float(np.abs(expected - found).mean())) > PROBABILITY_CHANGE:
            return f"{card.name}: probabilities of its OpenVINO form are off by {apart:.4f} on average"
        reference, ours, torchs = (
            planes >= card.postprocessing.threshold for planes in (expected, found, usual.probabilities(images))
        )
        lost.append(overlap(reference, torchs).dice - overlap(reference, ours).dice)
    mean, worst = float(np.mean(lost)), max(lost)
    if mean > MEAN_CHANGE or worst > WORST_CHANGE:
        return f"{card.name}: masks of its OpenVINO form lose {mean:.4f} of Dice on average, {worst:.4f} at worst"
    return ""
