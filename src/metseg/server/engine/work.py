"""A model that is loaded, and a study on its way through it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from metseg.checkpoints import Checkpoint
from metseg.events import Notice, Progress
from metseg.inference import backend_factory
from metseg.lesions import PostprocessingConfig
from metseg.server.engine.model_thread import SharedNetwork
from metseg.study import Study


@dataclass(eq=False)
class LoadedModel:
    """A model that is ready.

    Attributes
    ----------
    name : str
        Under which it is asked for.
    """

    name: str
    checkpoint: Checkpoint
    networks: dict[str, SharedNetwork] = field(default_factory=dict)

    def with_clahe(self, choice: str | None) -> LoadedModel:
        """The same networks, shown what ``choice`` says; see :meth:`metseg.checkpoints.ModelCard.with_clahe`."""
        return replace(self, checkpoint=self.checkpoint.with_clahe(choice))

    def network(self, device: str) -> SharedNetwork:
        """The network on ``device``."""
        opened = SharedNetwork(lambda: backend_factory()(self.checkpoint, device))
        return self.networks.setdefault(device, opened)


@dataclass(eq=False)
class Work:
    """A study on its way through a network.

    Attributes
    ----------
    postprocessing : PostprocessingConfig
        How probabilities become a mask.
    seconds_left : float or None
        How long it still takes, estimated; None until that can be said.
    notices : list of Notice
        What must be said of it.
    """

    study: Study
    model: LoadedModel
    postprocessing: PostprocessingConfig
    progress: Progress
    notices: list[Notice] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    seconds_left: float | None = None

    @property
    def messages(self) -> list[str]:
        """The notices without the name of the study, which the server has made up."""
        return [notice.text.replace(f"{self.study.name}: ", "", 1) for notice in self.notices]
