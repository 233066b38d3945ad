"""Which network is used for which sequences: the one place that decides it for every front end."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metseg import DEFAULT_MODEL
from metseg.checkpoints.card import ModelCard
from metseg.checkpoints.store import ModelInfo, list_models, read_card, resolve
from metseg.errors import CheckpointError, DataError
from metseg.lesions import Target
from metseg.study import Sequence

#: The networks that ``auto`` takes.
RECOMMENDED = {Target.FLAIR_ABNORMALITY: "best", Target.ENHANCING_LESION: "metastases"}
#: The sequence that shows each target best.
_SHOWN_ON = {Target.FLAIR_ABNORMALITY: Sequence.FLAIR, Target.ENHANCING_LESION: Sequence.POST}
#: A channel of unknown sequence may be any.
_ANY = {Sequence.UNKNOWN}


def misfit(card: ModelCard, sequences: Iterable[Sequence]) -> str:
    """Why a network does not fit a study with ``sequences``; empty if it fits.

    It fits if its sequences are there. FLAIR may stand in for others of a network that also takes FLAIR, for those
    are trained for that; and a channel of unknown sequence may be any.
    """
    there = set(sequences)
    wanted = [Sequence(name) for name in card.preprocessing.sequences]
    missing = [sequence for sequence in wanted if sequence not in there]
    if not missing or there & _ANY or (Sequence.FLAIR in wanted and Sequence.FLAIR in there):
        return ""
    return f"{card.name} needs {_listed(missing)}; there is {_listed(sequences) or 'no sequence'}"


def choose_models(
    model: str,
    sequences: Collection[Sequence],
    targets: Collection[Target] = (),
    installed: Iterable[ModelInfo] | None = None,
) -> list[str]:
    """Names of the networks that outline a study.

    ``auto`` takes ``metastases`` where the enhancing lesion is wanted, or post-contrast is there without FLAIR, and
    ``best`` otherwise. Where both targets are wanted, each that the study has the sequence for is outlined.

    Parameters
    ----------
    model : str
        ``auto``, or the name or path of a network, which then is taken.
    targets : collection of Target
        What is to be outlined; the usual one for ``sequences`` if empty.
    installed : iterable of ModelInfo, optional
        What is there, for those who know; else it is looked up.

    Raises
    ------
    CheckpointError
        If the network that ``auto`` takes is not installed, or a named network outlines something else.
    DataError
        If the study does not have the sequence that shows the target.
    """
    if model != DEFAULT_MODEL:
        card = None if not targets else model_card(model) if installed is None else card_of(model, installed)
        if card is not None and list(targets) != [card.target]:
            raise CheckpointError(
                f"{card.name} outlines the {card.target}, not {' and '.join(targets)}; --model {DEFAULT_MODEL} chooses "
                "by target"
            )
        return [model]
    shown = _shown(set(sequences), list(targets))
    known = {info.name: info for info in (list_models() if installed is None else installed)}
    return [_usable(target, known.get(RECOMMENDED[target])) for target in shown]


def model_card(name_or_path: str) -> ModelCard:
    """The card of a network by name or path, without its weights."""
    return read_card(resolve(name_or_path))


def card_of(name: str, installed: Iterable[ModelInfo]) -> ModelCard:
    """The card of a network by its name among ``installed``.

    Raises
    ------
    CheckpointError
        If it is not there, or cannot be used.
    """
    known = {info.name: info for info in installed}
    if name not in known:
        raise CheckpointError(f"no model is called {name!r}; there are: {', '.join(known) or 'none'}")
    card = known[name].card
    if card is None:
        raise CheckpointError(f"{name} cannot be used: {known[name].problem}")
    return card


def _shown(there: set[Sequence], wanted: list[Target]) -> list[Target]:
    """What is outlined in a study with the sequences ``there``."""
    possible = [target for target in wanted if _SHOWN_ON[target] in there]
    if possible:
        return possible
    if len(wanted) == 1:
        if there.isdisjoint(_ANY):
            (target,) = wanted
            raise DataError(
                f"{target} is outlined on {_SHOWN_ON[target]}, which is not there; there is {_listed(sorted(there))}"
            )
        return wanted
    alone = Sequence.POST in there and Sequence.FLAIR not in there
    return [Target.ENHANCING_LESION if alone else Target.FLAIR_ABNORMALITY]


def _usable(target: Target, found: ModelInfo | None) -> str:
    if found is None:
        raise CheckpointError(
            f"no network for the {target} is installed: `{RECOMMENDED[target]}` is missing; install it in a folder "
            "that METSEG_WEIGHTS names, or choose a network with --model (`metseg models` lists them)"
        )
    if found.card is None:
        raise CheckpointError(f"the network for the {target}, `{found.name}`, cannot be used: {found.problem}")
    return found.name


def _listed(sequences: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(map(str, sequences)))
