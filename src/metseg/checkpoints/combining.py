"""Several networks as one: the mean of their probabilities, or of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metseg.checkpoints.card import ModelCard, TrainingRecord
from metseg.checkpoints.store import Checkpoint
from metseg.errors import CheckpointError
from metseg.networks import EnsembleSpec

if TYPE_CHECKING:
    from metseg.networks import Ensemble, SegmentationNetwork


def combine(members: Sequence[Checkpoint], name: str) -> tuple[Ensemble, ModelCard]:
    """The ensemble of ``members`` and its card, without scores.

    Raises
    ------
    CheckpointError
        If there are fewer than two members, if one is itself an ensemble, or if they differ in preprocessing
        or target.
    """
    from metseg.networks import Ensemble

    networks = _single_networks(members)
    spec = EnsembleSpec(members=tuple(network.spec for network in networks))
    card = _combined_card(members, members[0].card, name, "Mean probability of").model_copy(update={"network": spec})
    return Ensemble(networks), card


def average_weights(members: Sequence[Checkpoint], name: str) -> tuple[SegmentationNetwork, ModelCard]:
    """The network whose weights are the mean of the members', and its card, without scores.

    For networks that were trained on from the same weights: it costs what one of them costs, and answers about as their
    ensemble does. The card has the last member's command and settings. Source: Wortsman et al. 2022, arXiv 2203.05482.

    Raises
    ------
    CheckpointError
        As :func:`combine`, and if the members' architectures differ or one is given twice.
    """
    import torch

    if len({member.sha256 for member in members}) < len(members):
        raise CheckpointError("one of the networks is given twice")
    networks = _single_networks(members)
    network = networks[-1]
    if any(other.spec != network.spec for other in networks):
        raise CheckpointError("weights can be averaged only over networks of one architecture")
    states = [other.state_dict() for other in networks]
    mean = {
        key: torch.stack([state[key] for state in states]).mean(0) if value.is_floating_point() else value
        for key, value in states[-1].items()
    }
    network.load_state_dict(mean)
    card = _combined_card(members, members[-1].card, name, "Mean of the weights of")
    last = members[-1].card.training
    runs = {"command": last.command, "config": last.config, "epoch": last.epoch, "corrected": last.corrected}
    return network, card.model_copy(update={"training": card.training.model_copy(update=runs)})


def descend_from_each_other(members: Sequence[Checkpoint]) -> bool:
    """Whether the cards name all members as trained on from one another, or from the same weights."""
    families = [{member.sha256, member.card.training.parent or member.sha256} for member in members]
    known = families[0]
    while found := [family for family in families if family & known and not family <= known]:
        known = known.union(*found)
    return all(family <= known for family in families)


def _single_networks(members: Sequence[Checkpoint]) -> list[SegmentationNetwork]:
    from metseg.networks import SegmentationNetwork

    if len(members) < 2:
        raise CheckpointError("give two networks or more")
    networks = [member.network() for member in members]
    singles = [network for network in networks if isinstance(network, SegmentationNetwork)]
    if len(singles) < len(networks):
        raise CheckpointError("only single networks can be combined, no ensembles")
    cards = [member.card for member in members]
    if differing := [card.name for card in cards if card.preprocessing != cards[0].preprocessing]:
        raise CheckpointError(f"{cards[0].name} and {', '.join(differing)} differ in preprocessing")
    if differing := [card.name for card in cards if card.target != cards[0].target]:
        raise CheckpointError(f"{cards[0].name} and {', '.join(differing)} differ in what they outline")
    return singles


def _combined_card(members: Sequence[Checkpoint], source: ModelCard, name: str, what: str) -> ModelCard:
    """The card of one member, with the patients of all and nothing that was measured on a member."""
    records = [member.card.training for member in members]
    seen = {patient for record in records for patient in record.patients}
    held_out = set[str]().union(*(record.held_out for record in records)) - seen
    training = TrainingRecord(
        patients=tuple(sorted(seen)),
        held_out=tuple(sorted(held_out)),
        data=source.training.data,
        versions=source.training.versions,
    )
    named = ", ".join(f"`{member.card.name}` ({member.sha256[:12]})" for member in members)
    created = max(member.card.created for member in members)
    changes = {"name": name, "training": training, "scores": {}, "notes": f"{what} {named}.", "created": created}
    return source.model_copy(update=changes)
