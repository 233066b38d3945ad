"""Looks up networks and devices to choose from, and reads further networks from files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from metseg.napari_plugin import pipeline
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.state import ModelChoice

Found = tuple[tuple[ModelChoice, ...], tuple[str, ...]]


class ChoosingState(Protocol):
    """The fields of a state that are about networks; see :class:`~metseg.napari_plugin.state.SegmentationState`."""

    models: tuple[ModelChoice, ...]
    model: str
    devices: tuple[str, ...]
    searching: bool
    opening: str


class NetworkChoices(WorkerMixin):
    """Keeps a state's networks and devices.

    Parameters
    ----------
    state : ChoosingState
    find : callable
        Gives networks and devices; called in a thread.
    tell_error : callable
        Shows an error to the user.
    """

    def __init__(
        self, state: ChoosingState, find: Callable[[], Found], tell_error: Callable[[Exception], object]
    ) -> None:
        super().__init__()
        self._state = state
        self._find = find
        self._tell_error = tell_error
        self._searches = self.worker(self._on_found, self._on_search_failed)
        self._files = self.worker(self._on_file, self._on_file_failed)

    def find(self) -> None:
        """Look up networks and devices in a thread."""
        self._state.searching = True
        self._searches.submit(self._find)

    def add_file(self, path: str) -> None:
        """Read the network in ``path`` in a thread, offer it beside the others, and choose it."""
        self._state.opening = path
        self._files.submit(pipeline.model_from_file, path)

    def _on_found(self, found: Found) -> None:
        models, self._state.devices = found
        self._state.models = (*models, *self._state.models)
        self._state.model = self._state.model or pipeline.preferred(models)
        self._state.searching = False

    def _on_search_failed(self, error: Exception) -> None:
        self._state.searching = False
        self._tell_error(error)

    def _on_file(self, choice: ModelChoice) -> None:
        others = tuple(known for known in self._state.models if known.key != choice.key)
        self._state.models = (*others, choice)
        self._state.model = choice.key
        self._state.opening = ""

    def _on_file_failed(self, error: Exception) -> None:
        self._state.opening = ""
        self._tell_error(error)
