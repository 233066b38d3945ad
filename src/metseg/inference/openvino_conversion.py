"""Networks brought into OpenVINO's form and checked against PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.inference.openvino_network import ConvertedNetwork, compile_network, load_openvino
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

#: Heads that both forms are asked about, by seed, their slices and the side of these in pixels.
_HEADS, _SLICES, _SIDE = (0, 1, 2), 8, 128
#: Side in pixels of the slices that a network is traced with; InceptionV3 takes none of 64.
_EXAMPLE = 128


def convert_into(path: Path, checkpoint: Checkpoint) -> str:
    """Convert a network and say why it cannot be used; nothing if it can."""
    try:
        model = convert_network(checkpoint.network(), checkpoint.card.preprocessing.channels)
    except RuntimeError as error:
        return f"{checkpoint.card.name} has no OpenVINO form: {str(error).partition(chr(10))[0]}"
    load_openvino().save_model(model, path, compress_to_fp16=True)
    return _difference(checkpoint, compile_network(path))


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
