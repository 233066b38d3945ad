"""Starting from a trained network: which of its weights fit another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.errors import CheckpointError
from metseg.networks import NetworkSpec, SegmentationNetwork

_ENCODER = "body.encoder."


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a network took over.

    Attributes
    ----------
    taken, spread, left : tuple of str
        Tensors of the new network that were copied; whose input channels were spread over the new ones; that keep
        their random start.
    """

    taken: tuple[str, ...]
    spread: tuple[str, ...]
    left: tuple[str, ...]

    def describe(self, parent: str) -> str:
        """One line for the user."""
        parts = [f"{len(self.taken)} tensors taken from {parent}"]
        if self.spread:
            parts.append(f"the first convolution ({', '.join(self.spread)}) spread over the input channels")
        if self.left:
            groups = sorted({".".join(key.split(".")[:2]).removeprefix("body.") for key in self.left})
            parts.append(f"{len(self.left)} start at random ({', '.join(groups)})")
        return "; ".join(parts)


def load_parent(name_or_path: str) -> tuple[Checkpoint, NetworkSpec]:
    """A checkpoint to start from, and the spec of its network; CheckpointError if it is an ensemble."""
    parent = load_checkpoint(name_or_path)
    return parent, _single(parent)


def _single(parent: Checkpoint) -> NetworkSpec:
    spec = parent.card.network
    if not isinstance(spec, NetworkSpec):
        members = ", ".join(member.architecture for member in spec.members)
        raise CheckpointError(
            f"{parent.card.name} averages several networks ({members}), and only a single one can be trained further; "
            "choose one of them"
        )
    return spec


def transfer(network: SegmentationNetwork, parent: Checkpoint, sequences: Sequence[str]) -> Transfer:
    """Copy into ``network`` what fits of the weights of ``parent``.

    The same architecture on the same encoder takes every tensor of the same name and shape; another architecture on
    the same encoder takes the encoder. A first convolution for other planes (neighbouring slices, the windowed slice
    beside the equalised one) of the same sequences gets, per sequence, the sum over the old planes divided by the
    number of new ones: the features of similar planes stay as they were.

    Parameters
    ----------
    parent : Checkpoint
        Where from.
    sequences : sequence of str
        What the channels of ``network`` are, see :class:`metseg.preprocessing.PreprocessingConfig`.

    Raises
    ------
    CheckpointError
        If nothing fits, or ``parent`` is an ensemble.
    """
    old, new = _single(parent), network.spec
    if old.encoder != new.encoder:
        raise CheckpointError(
            f"nothing of {parent.card.name} fits: it is {old.architecture} on encoder {old.encoder}, "
            f"this is {new.architecture} on {new.encoder}; with --encoder {old.encoder} its encoder would"
        )
    prefix = "" if old.architecture == new.architecture else _ENCODER
    same_sequences = tuple(parent.card.preprocessing.sequences) == tuple(sequences)
    state = network.state_dict()
    taken, spread = [], []
    for key, value in state.items():
        given = parent.state.get(key) if key.startswith(prefix) else None
        if given is None:
            continue
        if given.shape == value.shape:
            state[key] = given
            taken.append(key)
        elif (
            same_sequences
            and given.ndim == 4
            and given.shape[1] == old.in_channels
            and value.shape == (len(given), new.in_channels, *given.shape[2:])
        ):  # the first convolution
            per_sequence = given.reshape(len(given), -1, len(sequences), *given.shape[2:]).sum(dim=1)
            planes = new.in_channels // len(sequences)
            state[key] = (per_sequence / planes).repeat(1, planes, 1, 1)
            spread.append(key)
    if not taken:
        raise CheckpointError(f"nothing of {parent.card.name} fits this network")
    network.load_state_dict(state)
    left = tuple(key for key in state if key not in {*taken, *spread})
    return Transfer(tuple(taken), tuple(spread), left)
