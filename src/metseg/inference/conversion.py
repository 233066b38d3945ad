"""Networks brought from PyTorch into the form of another runtime, and checked there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.events import Event, Finished, Progress
from metseg.inference.agreement import HEADS, disagreement_with, reference_heads
from metseg.inference.converted import ConvertedBackend, PrecisionChoice
from metseg.networks import Ensemble

#: Slices of the example that a network is traced with, and their side in pixels; InceptionV3 takes none of 64.
EXAMPLE_SLICES: Final = 8
EXAMPLE_SIDE: Final = 128


class ProbabilityGraph(nn.Module):
    """A network that answers with probabilities and the disagreement of an ensemble's members.

    Parameters
    ----------
    network : nn.Module
        A network or an ensemble.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probability and disagreement, (n, height, width), of ``images``, (n, c, height, width)."""
        if isinstance(self.network, Ensemble):
            answers = self.network.answers(images)
            return answers.mean(dim=0).amax(dim=1), (answers.amax(dim=0) - answers.amin(dim=0)).amax(dim=1)
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
    """See :meth:`ConvertedBackend.converting`."""
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
    chosen = ""
    for done, precision in enumerate(precisions, start=1 + len(heads)):
        yield Progress(done, total, f"{card.name} in {precision}")
        failure = disagreement_with(heads, card.postprocessing.threshold, backend.open(path, precision, device))
        if not failure:
            chosen = precision
            break
        failures.append(f"in {precision} {failure}")
    reason = f"{card.name}: its {backend.form} form {', '.join(failures)}" if failures else ""
    yield Finished(PrecisionChoice(precision=chosen, reason=reason))
