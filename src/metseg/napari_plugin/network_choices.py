"""Looks up networks and devices to choose from, here or on a server, and reads further networks from files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

from psygnal import SignalGroupDescriptor

from metseg.errors import MetsegError
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.state import FoundNetworks, ModelChoice, ServerLogin
from metseg.napari_plugin.studio.settings import settings

if TYPE_CHECKING:
    from metseg.inference.remote import ServerDescription

_REMOTE, _URL = "server/chosen", "server/url"


class ChoosingState(Protocol):
    """The fields of a state that are about networks; see :class:`~metseg.napari_plugin.state.SegmentationState`."""

    events: ClassVar[SignalGroupDescriptor]

    models: tuple[ModelChoice, ...]
    model: str
    devices: tuple[str, ...]
    device: str
    searching: bool
    opening: str
    remote: bool
    server: ServerDescription | None
    server_problem: str


class NetworkChoices(WorkerMixin):
    """Keeps a state's networks and devices, of this computer or of a server.

    Parameters
    ----------
    state : ChoosingState
    find : callable
        Gives networks and devices of this computer; called in a thread.
    tell_error : callable
        Shows an error to the user.
    """

    def __init__(
        self,
        state: ChoosingState,
        find: Callable[[], FoundNetworks],
        tell_error: Callable[[Exception], object],
    ) -> None:
        super().__init__()
        self._state = state
        self._find = find
        self._tell_error = tell_error
        self._opened: tuple[ModelChoice, ...] = ()
        self._wanted = state.model
        self._searches = self.worker(self._on_found, self._on_search_failed)
        self._files = self.worker(self._on_file, self._on_file_failed)

    def find(self) -> None:
        """Look up networks where they ran last time, on this computer or a server, in a thread."""
        if settings().value(_REMOTE, False, type=bool) and known_url():
            self.connect(ServerLogin(known_url()))
        else:
            self.use_this_computer()

    def use_this_computer(self) -> None:
        """Look up networks and devices of this computer, in a thread."""
        settings().setValue(_REMOTE, False)
        self._forget(remote=False, searching=True)
        self._searches.submit(self._find)

    def use_server(self) -> None:
        """Choose from no network until :meth:`connect` has found those of a server."""
        self._forget(remote=True, searching=False)

    def connect(self, login: ServerLogin) -> None:
        """Ask a server for its networks, in a thread; its URL is noted once it has answered, its token never."""
        self._forget(remote=True, searching=True)
        self._searches.submit(pipeline.ask_server, login)

    def add_file(self, path: str) -> None:
        """Read the network in ``path`` in a thread, offer it beside the others of this computer, and choose it."""
        self._state.opening = path
        self._files.submit(pipeline.model_from_file, path)

    def _forget(self, *, remote: bool, searching: bool) -> None:
        """Drop what was found or is looked for elsewhere; what was chosen is chosen again if it is there, too."""
        state = self._state
        self._searches.forget()
        self._wanted = state.model or self._wanted
        state.searching = searching
        state.server, state.server_problem, state.remote = None, "", remote
        state.models, state.model = (), ""
        state.devices, state.device = ("auto",), "auto"

    def _on_found(self, found: FoundNetworks) -> None:
        state = self._state
        state.server, state.devices = found.server, found.devices
        state.models = found.models if state.remote else (*found.models, *self._opened)
        again = any(choice.key == self._wanted for choice in state.models)
        state.model = state.model or (self._wanted if again else pipeline.preferred(found.models))
        state.searching = False
        if found.server is not None:
            settings().setValue(_REMOTE, True)
            settings().setValue(_URL, found.server.address.url)

    def _on_search_failed(self, error: Exception) -> None:
        if self._state.remote:
            self._state.server_problem = str(error)
        self._state.searching = False
        if not (self._state.remote and isinstance(error, MetsegError)):
            self._tell_error(error)

    def _on_file(self, choice: ModelChoice) -> None:
        self._state.opening = ""
        self._opened = (*(known for known in self._opened if known.key != choice.key), choice)
        if not self._state.remote:
            others = tuple(known for known in self._state.models if known.key != choice.key)
            self._state.models = (*others, choice)
            self._state.model = choice.key

    def _on_file_failed(self, error: Exception) -> None:
        self._state.opening = ""
        self._tell_error(error)


def known_url() -> str:
    """URL of the server that answered last; empty if none did."""
    return str(settings().value(_URL, "") or "")
