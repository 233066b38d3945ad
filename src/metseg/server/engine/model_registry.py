"""Models by name: loaded when they are asked for, a few kept."""

from __future__ import annotations

from collections.abc import Collection

from metseg import DEFAULT_MODEL
from metseg.checkpoints import RECOMMENDED, ModelInfo, choose_models, list_models, load_checkpoint
from metseg.errors import CheckpointError, DataError
from metseg.lesions import Target
from metseg.server.engine.kept_models import KeptModels
from metseg.server.engine.runner import Runner
from metseg.server.engine.work import LoadedModel
from metseg.study import Sequence


class UnknownModelError(CheckpointError):
    """There is no model of that name here."""


class ModelRegistry:
    """The models of one server.

    Parameters
    ----------
    default : str
        Name or file of the model that is used unless another is named; ``auto`` chooses by the image's sequences.
    kept : int
        Most models that are kept loaded; see :class:`KeptModels`.
    runner : Runner
        What runs them.
    """

    def __init__(self, default: str, *, kept: int, runner: Runner) -> None:
        self._source = default
        self.automatic = default == DEFAULT_MODEL
        self._models = KeptModels(runner, kept)
        self._default = ""

    def load_default(self) -> LoadedModel:
        """Load and warm the default model; where models are chosen by sequences, the one for FLAIR.

        CheckpointError if it is not there, or damaged.
        """
        if self.automatic:
            usable = {info.name for info in list_models() if info.card is not None}
            self._source = next((name for name in RECOMMENDED.values() if name in usable), "best")
        checkpoint = load_checkpoint(self._source)
        listed = {info.name for info in list_models()}
        self._default = self._source if self._source in listed else checkpoint.card.name
        return self._models.get(self._default, lambda: LoadedModel(self._default, checkpoint))

    @property
    def default(self) -> str:
        """Name of the default model; empty until it is loaded."""
        return self._default

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models that are loaded."""
        return self._models.keys

    def listed(self) -> list[ModelInfo]:
        """What can be asked for by name, the default model among it."""
        infos = list_models()
        own = self._models.find(self._default)
        if own is not None and own.name not in {info.name for info in infos}:
            infos.insert(0, ModelInfo(own.name, own.checkpoint.path, own.checkpoint.card))
        return infos

    def get(
        self, name: str | None, sequences: Collection[Sequence] = (), targets: Collection[Target] = ()
    ) -> LoadedModel:
        """The model ``name``, or the default one; loads it if it must. Blocks.

        Parameters
        ----------
        name : str or None
            ``auto`` chooses by sequences and targets, and so does ``None`` unless the server has a model of its own.
        sequences, targets
            See :func:`metseg.checkpoints.choose_models`.

        Raises
        ------
        UnknownModelError
            If no model has that name.
        CheckpointError
            If its file is damaged.
        DataError
            If it does not outline the target, the sequences cannot show it, or none that does is here.
        """
        if name == DEFAULT_MODEL or (not name and (self.automatic or targets)):
            try:
                (name,) = choose_models(DEFAULT_MODEL, sequences, targets, self.listed())
            except CheckpointError as error:
                raise DataError(str(error)) from error
            targets = ()
        model = self._get(name or self._default)
        if targets and list(targets) != [model.checkpoint.card.target]:
            raise DataError(f"{model.name} outlines the {model.checkpoint.card.target}, not {' and '.join(targets)}")
        return model

    def _get(self, name: str) -> LoadedModel:
        return self._models.get(name, lambda: self._load(name))

    def _load(self, name: str) -> LoadedModel:
        infos = {info.name: info for info in self.listed()}
        if name not in infos:
            raise UnknownModelError(f"no model is called {name!r}; there are: {', '.join(infos) or 'none'}")
        source = self._source if name == self._default else str(infos[name].path)
        return LoadedModel(name, load_checkpoint(source))
