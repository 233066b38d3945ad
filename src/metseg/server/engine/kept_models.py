"""Models that stay loaded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from metseg.server.engine.runner import Runner
from metseg.server.engine.work import LoadedModel


class KeptModels:
    """Models that are loaded and warm; the one not asked for longest makes room, the first one stays.

    Parameters
    ----------
    runner : Runner
        What warms them and frees their devices.
    kept : int
        How many there are at most, besides the last one asked for.
    """

    def __init__(self, runner: Runner, kept: int) -> None:
        self._runner = runner
        self._kept = kept
        self._first = ""
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which they are kept."""
        return tuple(self._models)

    def find(self, key: str) -> LoadedModel | None:
        """The model ``key`` if it is loaded; it is now the one that was asked for last."""
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
            return self._models.get(key)

    def get(self, key: str, load: Callable[[], LoadedModel]) -> LoadedModel:
        """The model ``key``, loaded with ``load`` and warmed if it must be. Blocks; raises what ``load`` does."""
        if (model := self.find(key)) is not None:
            return model
        with self._loading:
            if (model := self.find(key)) is not None:
                return model
            model = load()
            self._runner.warm(model)
            for one in self._exchange(key, model):
                self._runner.drop(one)
            return model

    def _exchange(self, key: str, model: LoadedModel) -> list[LoadedModel]:
        """Keep ``model``; those that make room for it."""
        with self._lock:
            self._first = self._first or key
            others = [other for other in self._models if other != self._first]
            leaving = others[: max(0, len(self._models) + 1 - self._kept)]
            self._models[key] = model
            return [self._models.pop(other) for other in leaving]
