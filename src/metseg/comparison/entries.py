"""What is compared: models, and which of their weights may score which patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from metseg.checkpoints import ModelCard, list_models, load_checkpoint
from metseg.checkpoints.store import ENSEMBLE_NAME, FILE_NAME
from metseg.errors import DataError
from metseg.study import natural_key

#: Compared unless others are named, as far as they are installed.
INSTALLED = ("nested_unet", "attention_unet", "inception_unet", "best")


@dataclass(frozen=True, slots=True)
class Entry:
    """A model under the name it has in the report.

    Attributes
    ----------
    models : tuple of str or Path
        What :func:`metseg.checkpoints.load_checkpoint` takes; several if these are the folds of a
        cross-validation, each of which scores the patients it never saw.
    """

    name: str
    models: tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """An entry with what is known of its models before they run.

    Attributes
    ----------
    cards : tuple of ModelCard
        Of each of its models, as they are measured; they name who was trained on.
    parameters : int
        Trainable numbers of one of its networks.
    """

    entry: Entry
    cards: tuple[ModelCard, ...]
    parameters: int

    @property
    def title(self) -> str:
        """What the network is, and whether it is cross-validated."""
        folds = f", {len(self.cards)}-fold cross-validation" if len(self.cards) > 1 else ""
        return self.cards[0].network.title + folds

    def has_seen(self, patient: str) -> bool:
        """Whether every one of the models was trained on ``patient``."""
        return all(patient in card.training.patients for card in self.cards)

    def model_for(self, patient: str) -> int:
        """Which model scores ``patient``: one that held it out, or else never saw it, or else the first."""
        for index, card in enumerate(self.cards):
            if patient in card.training.held_out:
                return index
        for index, card in enumerate(self.cards):
            if patient not in card.training.patients:
                return index
        return 0


def find_entries(names: Iterable[str]) -> list[Entry]:
    """Entries for models by name, file or folder; a folder of ``fold_*`` runs is one cross-validated model.

    Models of the same name are told apart by their whole path.
    """
    given = list(names)
    short = [_short_name(name) for name in given]
    entries = []
    for name, path in zip(short, given, strict=True):
        folds = [file.parent for file in Path(path).expanduser().glob(f"fold_*/{FILE_NAME}")]
        models = tuple(sorted(folds, key=lambda run: natural_key(run.name))) or (path,)
        entries.append(Entry(name if short.count(name) == 1 else path, models))
    return entries


def installed_entries() -> list[Entry]:
    """The entries of :data:`INSTALLED` that are there and can be used."""
    usable = {info.name for info in list_models() if info.card is not None}
    return [Entry(name, (name,)) for name in INSTALLED if name in usable]


def read_contender(entry: Entry, clahe: str | None = None) -> Contender:
    """Read the models of an entry and build each once, so that a damaged one is known before any is measured.

    ``clahe`` is which slices they are shown, see :meth:`~metseg.checkpoints.ModelCard.with_clahe`.
    """
    cards: list[ModelCard] = []
    parameters = 0
    for model in entry.models:
        checkpoint = load_checkpoint(model).with_clahe(clahe)
        cards.append(checkpoint.card)
        parameters = sum(parameter.numel() for parameter in checkpoint.network().parameters())
    return Contender(entry, tuple(cards), parameters)


def choose_patients(contenders: Iterable[Contender], there: Iterable[str], wanted: Iterable[str] | None) -> list[str]:
    """The patients to score: ``wanted``, or else all that no entry was trained on; DataError if there is none."""
    known = sorted(there)
    if wanted is not None:
        names = sorted(set(wanted))
        if unknown := set(names) - set(known):
            raise DataError(f"no masked slices of {', '.join(sorted(unknown))}")
    else:
        rivals = list(contenders)
        names = [name for name in known if not any(rival.has_seen(name) for rival in rivals)]
    if not names:
        raise DataError("every patient here was trained on by one of the models; --all scores them nevertheless")
    return names


def _short_name(name: str) -> str:
    path = Path(name)
    if path.name in (FILE_NAME, ENSEMBLE_NAME):
        return path.resolve().parent.name
    return path.stem if path.suffix == ".safetensors" else path.name or name
