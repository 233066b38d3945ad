"""Whether a network in another form answers as PyTorch does: both are asked about synthetic heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from metseg.checkpoints import Checkpoint
from metseg.inference.converted import Planes, RunNetwork
from metseg.inference.devices import autocast_dtype
from metseg.inference.torch_backend import TorchBackend
from metseg.metrics import overlap
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence
from metseg.synthetic import synthetic_study

#: By how much less than PyTorch's the other form's masks may agree with those of full precision, in Dice: on average
#: over the heads, and on any of them.
MEAN_CHANGE: Final = 0.002
WORST_CHANGE: Final = 0.01
#: Largest mean difference of probabilities on a head.
PROBABILITY_CHANGE: Final = 0.001

#: Heads that both forms are asked about, by seed, their slices and the side of these in pixels.
HEADS: Final = (0, 1, 2)
_SLICES, _SIDE = 8, 128


@dataclass(frozen=True, eq=False)
class ReferenceHead:
    """What PyTorch says of a synthetic head.

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
    """PyTorch's answers for the heads that :func:`disagreement_with` compares with, one after the other."""
    preprocessing = checkpoint.card.preprocessing
    precise = usual = TorchBackend(checkpoint, "cpu", full_precision=True)
    if autocast_dtype("cpu") is not None:
        usual = TorchBackend(checkpoint, "cpu")
    for seed in HEADS:
        study = synthetic_study(seed, slices=_SLICES, size=_SIDE)
        voxels = study.select([Sequence(name) for name in preprocessing.sequences])
        images = Preprocessor(preprocessing, voxels).images(range(_SLICES))
        answer = precise.probabilities(images)
        yield ReferenceHead(images, answer, answer if usual is precise else usual.probabilities(images))


def disagreement_with(heads: list[ReferenceHead], threshold: float, run: RunNetwork) -> str:
    """How much farther ``run`` is from full precision than PyTorch's usual precision; empty if no farther.

    Parameters
    ----------
    heads : list of ReferenceHead
        From :func:`reference_heads`.
    threshold : float
        Probability from which on a voxel is lesion.
    run : callable
        The other form.
    """
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
