"""Where networks run: on a device of this computer, or on a server."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QT_TRANSLATE_NOOP
from qtpy.QtWidgets import QCheckBox, QLineEdit

from metseg import __version__
from metseg.loopback import host_of
from metseg.napari_plugin.controls import Choice, Hint, Option, Section, rename, row, sign_button
from metseg.napari_plugin.network_choices import ChoosingState, NetworkChoices, known_url
from metseg.napari_plugin.state import ServerLogin

_DEVICE_TITLES = {"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}

_RUN_ON, _HERE, _THERE = (
    QT_TRANSLATE_NOOP("studio", "Run on"),
    QT_TRANSLATE_NOOP("studio", "This computer"),
    QT_TRANSLATE_NOOP("studio", "A metseg server"),
)
_WHAT_IS_SENT = QT_TRANSLATE_NOOP(
    "studio", "A server is sent voxels, spacing and the names of the sequences; nothing that names the patient."
)
_SERVER, _CONNECT, _CONNECT_TIP, _NO_URL = (
    QT_TRANSLATE_NOOP("studio", "Server"),
    QT_TRANSLATE_NOOP("studio", "Connect"),
    QT_TRANSLATE_NOOP("studio", "Ask the server which networks it has."),
    QT_TRANSLATE_NOOP("studio", "Type the server's address first."),
)
_TOKEN, _TOKEN_PLACE, _TOKEN_TIP, _KEEP, _KEEP_TIP = (
    QT_TRANSLATE_NOOP("studio", "Token"),
    QT_TRANSLATE_NOOP("studio", "METSEG_TOKEN or keyring"),
    QT_TRANSLATE_NOOP("studio", "The server's access token. Unless it is typed, METSEG_TOKEN, else the keyring's."),
    QT_TRANSLATE_NOOP("studio", "Keep in the system's keyring"),
    QT_TRANSLATE_NOOP("studio", "Once the server has answered. Never in a file of metseg."),
)
_ASKING, _CONNECTED, _ONE, _VERSIONS = (
    QT_TRANSLATE_NOOP("studio", "Asking {host} …"),
    QT_TRANSLATE_NOOP("studio", "Connected: {device}{count} networks"),
    QT_TRANSLATE_NOOP("studio", "Connected: {device}1 network"),
    QT_TRANSLATE_NOOP("studio", "It has metseg {there}, this computer {here}: update the older one."),
)
_DEVICE, _DEVICE_TIP, _SERVERS_CHOICE, _SERVERS_TIP = (
    QT_TRANSLATE_NOOP("studio", "Device"),
    QT_TRANSLATE_NOOP("studio", "Where the network runs. Automatic takes the fastest device of this computer."),
    QT_TRANSLATE_NOOP("studio", "The server's"),
    QT_TRANSLATE_NOOP("studio", "The server decides on what its networks run."),
)


class PlaceSection(Section[ChoosingState]):
    """This computer and one of its devices, or a server: its address, what it said, and the token it wants.

    Parameters
    ----------
    state : ChoosingState
    networks : NetworkChoices
        Of this state.
    translate : callable
        Gives a text in the user's language.
    """

    def __init__(self, state: ChoosingState, networks: NetworkChoices, translate: Callable[[str], str] = str) -> None:
        super().__init__("", state)
        self._networks = networks
        self._translate = translate
        self.place = Choice(self._choose)
        self.place.offer([Option(False, translate(_HERE)), Option(True, translate(_THERE))], state.remote)
        self.place.setToolTip(translate(_WHAT_IS_SENT))
        self.url = QLineEdit(known_url())
        self.url.setPlaceholderText("https://gpu.example.org")
        self.url.setCursorPosition(0)
        self.url.textEdited.connect(self._on_edited)
        self.url.returnPressed.connect(self._connect)
        self.connect_button = sign_button(translate(_CONNECT), translate(_CONNECT_TIP), self._connect)
        self.server_hint = Hint()
        self.token = QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText(translate(_TOKEN_PLACE))
        self.token.setToolTip(translate(_TOKEN_TIP))
        self.token.textEdited.connect(self._show_login)
        self.token.returnPressed.connect(self._connect)
        self.remember = QCheckBox(translate(_KEEP))
        self.remember.setToolTip(translate(_KEEP_TIP))
        self.device = Choice(lambda device: setattr(state, "device", device))
        self.add_row(translate(_RUN_ON), self.place)
        self._submit = row(self.remember, self.connect_button)
        self.add_row(translate(_SERVER), self.url)
        self.add_row(translate(_TOKEN), self.token)
        self.add_wide(self._submit)
        self.add_wide(self.server_hint)
        self.add_row(translate(_DEVICE), self.device)
        self.follow(state.events, ("remote", "server", "server_problem", "searching"), self._show)
        self.follow(state.events, ("devices", "device", "remote", "server"), self._show_devices)
        self._show()
        self._show_devices()

    def _choose(self, remote: bool) -> None:
        if not remote:
            self._networks.use_this_computer()
        elif self.url.text().strip():
            self._connect()
        else:
            self._networks.use_server()

    def _connect(self) -> None:
        url, token = self.url.text().strip().rstrip("/"), self.token.text().strip()
        if url and not self.state.searching:
            self._networks.connect(ServerLogin(url, token, bool(token) and self.remember.isChecked()))

    def _on_edited(self) -> None:
        """What is known of the server with the address before is not true of this one."""
        if self.state.server is not None or self.state.server_problem or self.state.searching:
            self._networks.use_server()
        self._show_login()

    def _show(self) -> None:
        state = self.state
        self.place.show_chosen(state.remote)
        self.url.setCursorPosition(0 if state.server is not None else self.url.cursorPosition())
        self.show_row(self.url, state.remote)
        self.server_hint.say(self._what_is_known() if state.remote else "")
        rename(self.server_hint, "notice" if state.remote and state.server_problem else "hint")
        server = state.server
        self.server_hint.setToolTip("" if server is None else ", ".join(one.name for one in server.models if one.card))
        if not (state.remote and state.searching):  # what was typed stays in sight meanwhile
            self.show_row(self.token, state.remote and server is None)
            self._submit.setVisible(state.remote and server is None)
        self._show_login()

    def _show_login(self) -> None:
        url = self.url.text().strip()
        self.connect_button.setEnabled(bool(url) and not self.state.searching)
        self.connect_button.setToolTip(self._translate(_CONNECT_TIP if url else _NO_URL))
        self.remember.setEnabled(bool(self.token.text().strip()))

    def _what_is_known(self) -> str:
        translate, server = self._translate, self.state.server
        if self.state.searching:
            return translate(_ASKING).format(host=host_of(self.url.text().strip()) or self.url.text().strip())
        if server is None:
            return self.state.server_problem or translate(_WHAT_IS_SENT)
        count = sum(one.card is not None for one in server.models)
        device = f"{device_title(server.device)}, " if server.device else ""
        known = translate(_ONE if count == 1 else _CONNECTED).format(device=device, count=count)
        differs = server.metseg not in ("", __version__)
        return "\n".join([known, *([translate(_VERSIONS).format(there=server.metseg, here=__version__)] * differs)])

    def _show_devices(self) -> None:
        state, translate = self.state, self._translate
        if state.remote:
            title = device_title(state.server.device) if state.server and state.server.device else ""
            self.device.offer([Option("auto", title or translate(_SERVERS_CHOICE))], "auto")
        else:
            self.device.offer([Option(name, device_title(name)) for name in state.devices], state.device)
        self.device.setEnabled(not state.remote)
        self.device.setToolTip(translate(_SERVERS_TIP if state.remote else _DEVICE_TIP))


def device_title(name: str) -> str:
    """A device in the user's words."""
    kind, _, index = name.partition(":")
    title = _DEVICE_TITLES.get(kind, kind)
    return f"{title} {index}" if index else title
