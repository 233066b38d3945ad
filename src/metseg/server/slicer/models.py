"""The models that a project can ask: those of the server, and before them the one that the project has promoted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from metseg.checkpoints import ModelCard, load_checkpoint, read_card
from metseg.curation import DefaultModel, Project
from metseg.errors import CheckpointError, DataError, MetsegError
from metseg.networks import EnsembleSpec
from metseg.server.engine import LoadedModel, ModelRegistry, UnknownModelError
from metseg.server.logs import log
from metseg.server.problems import ProblemError
from metseg.server.slicer.labels import LESION
from metseg.study import Sequence


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be asked.

    Attributes
    ----------
    file : Path
        Its file.
    """

    name: str
    card: ModelCard
    file: Path

    @property
    def trainable(self) -> bool:
        """Whether it can be trained further: a single network can."""
        return not isinstance(self.card.network, EnsembleSpec)


class Models:
    """The models of one project.

    Parameters
    ----------
    project : Path
        Its folder.
    """

    def __init__(self, project: Path, registry: ModelRegistry) -> None:
        self._project = project
        self._registry = registry
        self._promoted: tuple[str, LoadedModel] | None = None
        self._lock = threading.Lock()

    @property
    def automatic(self) -> bool:
        """Whether the server chooses a model by the sequences of an image unless one is named."""
        return self._registry.automatic

    def offers(self) -> list[Offer]:
        """Every model that is in order: the promoted one, the server's default, the others."""
        listed = [Offer(info.name, info.card, info.path) for info in self._registry.listed() if info.card is not None]
        listed.sort(key=lambda offer: offer.name != self._registry.default)
        promoted = self._promoted_offer({offer.name for offer in listed})
        return listed if promoted is None else [promoted, *listed]

    def segments(self) -> tuple[str, ...]:
        """Names of the segments that the models outline, each once: their targets."""
        return tuple(dict.fromkeys(str(offer.card.target) for offer in self.offers())) or (LESION,)

    def get(self, name: str, sequences: tuple[Sequence, ...] = ()) -> LoadedModel:
        """The model ``name``, loaded; ``auto`` is the one that fits the sequences. Blocks.

        Raises
        ------
        ProblemError
            404 if there is none, 409 if ``auto`` finds none that fits.
        CheckpointError
            If its file is damaged.
        """
        model = self._default_model()
        if model is None or name != self._title(model, {info.name for info in self._registry.listed()}):
            try:
                return self._registry.get(name, sequences)
            except UnknownModelError as error:
                raise ProblemError(404, str(error)) from None
            except DataError as error:
                raise ProblemError(409, str(error)) from None
        with self._lock:
            if self._promoted is None or self._promoted[0] != model.sha256:
                file = self._located(model)
                self._promoted = model.sha256, LoadedModel(name, load_checkpoint(file))
            return self._promoted[1]

    def offer(self, name: str) -> Offer:
        """What is offered as ``name``; 404 if nothing is."""
        offers = self.offers()
        for offer in offers:
            if offer.name == name:
                return offer
        raise ProblemError(404, f"no model is called {name!r}; there are: {', '.join(one.name for one in offers)}")

    def _promoted_offer(self, taken: set[str]) -> Offer | None:
        model = self._default_model()
        if model is None:
            return None
        file = self._project / model.path
        try:
            return Offer(self._title(model, taken), read_card(file), file.resolve())
        except CheckpointError as error:
            log("the project's own model is not offered", error=error)
            return None

    def _title(self, model: DefaultModel, taken: set[str]) -> str:
        return f"{model.name} of this project" if model.name in taken else model.name

    def _default_model(self) -> DefaultModel | None:
        try:
            return Project.open(self._project).default_model
        except MetsegError as error:
            log("the project's own model is not known", error=error)
            return None

    def _located(self, model: DefaultModel) -> Path:
        try:
            return model.located(Project.open(self._project))
        except MetsegError as error:
            raise CheckpointError(str(error)) from error
