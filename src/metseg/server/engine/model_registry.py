"""Models by name: loaded when they are asked for, a few kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from metseg import DEFAULT_MODEL
from metseg.checkpoints import RECOMMENDED, Checkpoint, ModelInfo, choose_models, list_models, load_checkpoint
from metseg.errors import CheckpointError, DataError
from metseg.inference import backend_devices, backend_factory, resolve_device
from metseg.lesions import Target
from metseg.server.engine.model_thread import ModelThread, SharedNetwork
from metseg.study import Sequence

#: Longest side of the images a network is warmed with, where its card leaves the file's own size.
_USUAL_SIDE = 256


class UnknownModelError(CheckpointError):
    """There is no model of that name here."""


@dataclass(eq=False)
class Loaded:
    """A model that is ready.

    Attributes
    ----------
    name : str
        Under which it is asked for.
    """

    name: str
    checkpoint: Checkpoint
    networks: dict[str, SharedNetwork] = field(default_factory=dict)

    def with_clahe(self, choice: str | None) -> Loaded:
        """The same networks, shown what ``choice`` says; see :meth:`metseg.checkpoints.ModelCard.with_clahe`."""
        return replace(self, checkpoint=self.checkpoint.with_clahe(choice))

    def network(self, device: str) -> SharedNetwork:
        """The network on ``device``."""
        opened = SharedNetwork(lambda: backend_factory()(self.checkpoint, device))
        return self.networks.setdefault(device, opened)


class ModelRegistry:
    """The models of one server.

    Parameters
    ----------
    default : str
        Name or file of the model that is used unless another is named; ``auto`` chooses by the image's sequences.
    device : str
        Where networks run.
    kept : int
        Most models that are kept loaded; the one not asked for longest makes room.
    batch : int
        Slices of a full batch.
    thread : ModelThread
        Where networks are made and run.

    MetsegError if there is no such device.
    """

    def __init__(self, default: str, *, device: str, kept: int, batch: int, thread: ModelThread) -> None:
        self.device = resolve_device(device, backend_devices())
        self._source = default
        self.automatic = default == DEFAULT_MODEL
        self._kept = kept
        self._batch = batch
        self._thread = thread
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._default = ""
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def load_default(self) -> Loaded:
        """Load and warm the default model; where models are chosen by sequences, the one for FLAIR.

        CheckpointError if it is not there, or damaged.
        """
        if self.automatic:
            usable = {info.name for info in list_models() if info.card is not None}
            self._source = next((name for name in RECOMMENDED.values() if name in usable), "best")
        checkpoint = load_checkpoint(self._source)
        listed = {info.name for info in list_models()}
        with self._loading:
            self._default = self._source if self._source in listed else checkpoint.card.name
            return self._keep(Loaded(self._default, checkpoint))

    @property
    def default(self) -> str:
        """Name of the default model; empty until it is loaded."""
        return self._default

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the models that are loaded."""
        return tuple(self._loaded)

    def listed(self) -> list[ModelInfo]:
        """What can be asked for by name, the default model among it."""
        infos = list_models()
        own = self._loaded.get(self._default)
        if own is not None and own.name not in {info.name for info in infos}:
            infos.insert(0, ModelInfo(own.name, own.checkpoint.path, own.checkpoint.card))
        return infos

    def get(self, name: str | None, sequences: Collection[Sequence] = (), targets: Collection[Target] = ()) -> Loaded:
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

    def _get(self, name: str) -> Loaded:
        if (model := self._ready(name)) is not None:
            return model
        with self._loading:
            if (model := self._ready(name)) is not None:
                return model
            infos = {info.name: info for info in self.listed()}
            if name not in infos:
                raise UnknownModelError(f"no model is called {name!r}; there are: {', '.join(infos) or 'none'}")
            source = self._source if name == self._default else str(infos[name].path)
            return self._keep(Loaded(name, load_checkpoint(source)))

    def _ready(self, name: str) -> Loaded | None:
        """The model ``name`` if it is loaded; it is now the one that was asked for last."""
        with self._lock:
            if name in self._loaded:
                self._loaded.move_to_end(name)
            return self._loaded.get(name)

    def _keep(self, model: Loaded) -> Loaded:
        """Warm a model and keep it in place of the one that was not asked for longest; the default one stays."""
        self._thread.call(lambda: self._warm(model))
        with self._lock:
            others = [name for name in self._loaded if name != self._default]
            leaving = others[: max(0, len(self._loaded) + 1 - self._kept)]
            closed = [self._loaded.pop(name) for name in leaving]
            self._loaded[model.name] = model
        for one in closed:
            self._close(one)
        return model

    def _close(self, model: Loaded) -> None:
        """Free a model's devices; a study that is still in it opens them again."""
        for network in model.networks.values():
            self._thread.call(network.close)

    def _warm(self, model: Loaded) -> None:
        """Make the network and run it once."""
        card = model.checkpoint.card
        side = -(-(card.preprocessing.size or _USUAL_SIDE) // card.preprocessing.multiple) * card.preprocessing.multiple
        shape = (self._batch + 2 * card.network.margin, card.preprocessing.channels, side, side)
        model.network(self.device).probabilities(np.random.default_rng(0).random(shape, np.float32))
