"""Networks brought from PyTorch into the form of another runtime, and checked there on synthetic heads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.events import Event, Finished, Progress
from metseg.inference.converted import ConvertedBackend, Planes, PrecisionChoice, RunNetwork
from metseg.inference.devices import autocast_dtype
from metseg.inference.torch_backend import TorchBackend
from metseg.metrics import overlap
from metseg.networks import Ensemble
from metseg.preprocessing import PreprocessingConfig, Preprocessor
from metseg.study import Sequence
from metseg.synthetic import synthetic_study

#: Slices of the example that a network is traced with, and their side in pixels; InceptionV3 takes none of 64.
EXAMPLE_SLICES: Final = 8
EXAMPLE_SIDE: Final = 128

#: By how much less than PyTorch's the other form's masks may agree with those of full precision, in Dice: on average
#: over the heads, and on any of them.
MEAN_CHANGE: Final = 0.002
WORST_CHANGE: Final = 0.01
#: Largest mean difference of probabilities on a head.
PROBABILITY_CHANGE: Final = 0.001

#: Heads on which both forms are compared, by seed, their slices and the side of these in pixels.
HEADS: Final = (0, 1, 2)
_SLICES, _SIDE = 8, 128


class ProbabilityGraph(nn.Module):
    """A network or an ensemble that returns probabilities and the disagreement of an ensemble's members."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probability and disagreement, (n, height, width), of ``images``, (n, c, height, width)."""
        if isinstance(self.network, Ensemble):
            members = self.network.member_probabilities(images)
            return members.mean(dim=0).amax(dim=1), (members.amax(dim=0) - members.amin(dim=0)).amax(dim=1)
        planes = self.network(images).float().sigmoid().amax(dim=1)
        return planes, torch.zeros_like(planes)


def write_network(backend: type[ConvertedBackend], network: nn.Module, channels: int, path: Path) -> None:
    """Write a network with so many input channels into ``path`` as ``backend`` reads it."""
    images = torch.rand(EXAMPLE_SLICES, channels, EXAMPLE_SIDE, EXAMPLE_SIDE)
    with warnings.catch_warnings(), torch.inference_mode():
        for kind in (torch.jit._trace.TracerWarning, DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        graph = torch.jit.trace(ProbabilityGraph(network), images, check_trace=False)  # type: ignore[no-untyped-call]
        backend.write(graph, images, path)


def converting(
    backend: type[ConvertedBackend], checkpoint: Checkpoint, path: Path, device: str
) -> Iterator[Event[PrecisionChoice]]:
    """Convert a network into ``path``, and choose the fastest precision of ``device`` that passes the check."""
    card, precisions = checkpoint.card, backend.precisions(device)
    total = 1 + len(HEADS) + len(precisions)
    yield Progress(0, total, f"converting {card.name}")
    try:
        write_network(backend, checkpoint.network(), card.preprocessing.channels, path)
    except RuntimeError as error:
        reason = f"{card.name} has no {backend.form} form: {str(error).partition(chr(10))[0]}"
        yield Finished(PrecisionChoice(precision="", reason=reason))
        return
    yield Progress(1, total, f"{card.name} with PyTorch")
    heads = []
    for head in reference_heads(checkpoint):
        heads.append(head)
        yield Progress(1 + len(heads), total, f"{card.name} with PyTorch")
    failures: list[str] = []
    for done, precision in enumerate(precisions, start=1 + len(heads)):
        yield Progress(done, total, f"{card.name} in {precision}")
        failure = disagreement_with(heads, card.postprocessing.threshold, backend.open(path, precision, device))
        if not failure:
            break
        failures.append(f"in {precision} {failure}")
    chosen = "" if len(failures) == len(precisions) else precisions[len(failures)]
    reason = f"{card.name}: its {backend.form} form {', '.join(failures)}" if failures else ""
    yield Finished(PrecisionChoice(precision=chosen, reason=reason))


@dataclass(frozen=True, eq=False)
class ReferenceHead:
    """PyTorch's probabilities of a synthetic head.

    Attributes
    ----------
    images : ndarray of float32, shape (n, c, height, width)
        What the network is shown.
    precise, usual : ndarray of float32, shape (n, height, width)
        Probabilities in full precision, and in the one that PyTorch usually takes on this processor.
    """

    images: Planes
    precise: Planes
    usual: Planes


def reference_heads(checkpoint: Checkpoint) -> Iterator[ReferenceHead]:
    """PyTorch's probabilities of the heads that :func:`disagreement_with` compares with, one after the other."""
    preprocessing = checkpoint.card.preprocessing
    precise = usual = TorchBackend(checkpoint, "cpu", full_precision=True)
    if autocast_dtype("cpu") is not None:
        usual = TorchBackend(checkpoint, "cpu")
    for seed in HEADS:
        images = head_images(preprocessing, seed, range(_SLICES))
        exact = precise.probabilities(images)
        yield ReferenceHead(images, exact, exact if usual is precise else usual.probabilities(images))


def disagreement_with(heads: list[ReferenceHead], threshold: float, run: RunNetwork) -> str:
    """How much farther ``run`` is from full precision than PyTorch's usual precision; empty if no farther."""
    lost: list[float] = []
    for head in heads:
        found, _ = run(head.images)
        if (apart := float(np.abs(head.precise - found).mean())) > PROBABILITY_CHANGE:
            return f"has probabilities that are off by {apart:.4f} on average"
        reference, ours, torchs = (planes >= threshold for planes in (head.precise, found, head.usual))
        lost.append(overlap(reference, torchs).dice - overlap(reference, ours).dice)
    mean, worst = float(np.mean(lost)), max(lost)
    if mean > MEAN_CHANGE or worst > WORST_CHANGE:
        return f"loses {mean:.4f} of Dice on average, {worst:.4f} at worst"
    return ""


def head_images(preprocessing: PreprocessingConfig, seed: int, shown: range) -> Planes:
    """What a network is shown of some slices of a small synthetic head, float32 (n, c, height, width)."""
    study = synthetic_study(seed, slices=_SLICES, size=_SIDE)
    voxels = study.select([Sequence(name) for name in preprocessing.sequences])
    return Preprocessor(preprocessing, voxels).images(shown)
