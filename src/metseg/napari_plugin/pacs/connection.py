"""Which PACS, and with which credentials."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from magicgui.widgets import FileEdit
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QLineEdit, QToolButton

from metseg.napari_plugin.controls import Choice, Hint, Option, Section
from metseg.napari_plugin.pacs.state import PacsState, SignIn, SignInKind
from metseg.napari_plugin.studio.settings import settings

_ADDRESS = "pacs/address"
_TIPS = {
    SignInKind.KNOWN: "METSEG_DICOMWEB_AUTHORIZATION, or …_CERT and …_KEY, else what the keyring holds.",
    SignInKind.PASSWORD: "HTTP basic authentication.",
    SignInKind.TOKEN: "A bearer token, or a whole Authorization header.",
    SignInKind.CERTIFICATE: "PEM files of a certificate and its key; they stay where they are.",
}


class ConnectionSection(Section[PacsState]):
    """Address and sign-in; one line once a search has worked, and a click shows the rest."""

    def __init__(self, state: PacsState) -> None:
        super().__init__("PACS", state)
        self._kind = SignInKind.KNOWN
        self.address = QLineEdit(str(settings().value(_ADDRESS, "") or ""))
        self.address.setPlaceholderText("https://pacs.example.org/dicom-web")
        self.address.setToolTip("Address of the DICOMweb service.")
        self.address.setCursorPosition(0)
        self.address.editingFinished.connect(partial(self.address.setCursorPosition, 0))
        self.change = QToolButton()
        self.change.setText("Sign-in")
        self.change.setObjectName("openModel")
        self.change.setCheckable(True)
        self.change.setChecked(True)
        self.change.setToolTip("Show or hide what you sign in with.")
        self.change.toggled.connect(self._show)
        self.kind = Choice(self._choose)
        self.kind.offer([Option(one, str(one), tip) for one, tip in _TIPS.items()], self._kind)
        self.user, self.secret = QLineEdit(), QLineEdit()
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.certificate, self.key = _pem_file("certificate"), _pem_file("key")
        self.remember = QCheckBox("Keep in the system's keyring")
        self.remember.setToolTip("Once a search has worked. Never in a file of metseg.")
        self.hint = Hint()
        self.add_row("Address", self.address, self.change)
        self.add_row("Sign-in", self.kind)
        self.add_wide(self.hint)
        self.add_row("User", self.user)
        self.add_row("Secret", self.secret)
        self.add_row("Certificate", self.certificate.native)
        self.add_row("Key", self.key.native)
        self.add_row("", self.remember)
        self.follow(state.events, ("connected",), self._on_connected)
        self.follow(state.events, ("problem",), self._on_problem)
        self._show()

    @property
    def sign_in(self) -> SignIn:
        """What was typed."""
        files = self._kind is SignInKind.CERTIFICATE
        return SignIn(
            self.address.text().strip().rstrip("/"),
            self._kind,
            self.certificate.line_edit.value.strip() if files else self.user.text(),
            self.key.line_edit.value.strip() if files else self.secret.text(),
            self.remember.isChecked() and self._kind is not SignInKind.KNOWN,
        )

    def _choose(self, kind: SignInKind) -> None:
        self._kind = kind
        self._show()

    def _on_connected(self) -> None:
        """Only an address that answered is noted; the secret is nowhere but in its field and the keyring."""
        if self.state.connected:
            settings().setValue(_ADDRESS, self.state.connected)
            self.address.setCursorPosition(0)
            self.change.setChecked(False)

    def _on_problem(self) -> None:
        if self.state.problem and not self.state.connected:
            self.change.setChecked(True)

    def _show(self) -> None:
        shown, kind = self.change.isChecked(), self._kind
        with QSignalBlocker(self.kind):
            self.kind.show_chosen(kind)
        files, password = kind is SignInKind.CERTIFICATE, kind is SignInKind.PASSWORD
        self.show_row(self.kind, shown)
        self.hint.say(_TIPS[kind] if shown else "")
        self.show_row(self.user, shown and password)
        self.show_row(self.secret, shown and (password or kind is SignInKind.TOKEN))
        self.show_row(self.certificate.native, shown and files)
        self.show_row(self.key.native, shown and files)
        self.show_row(self.remember, shown and kind is not SignInKind.KNOWN)


def _pem_file(what: str) -> FileEdit:
    """The path of a PEM file, typed or chosen."""
    field = FileEdit(nullable=True, filter="PEM (*.pem *.crt *.key);;All (*)")
    field.margins = (0, 0, 0, 0)
    field.line_edit.native.setPlaceholderText("PEM file")
    field.choose_btn.text, field.choose_btn.tooltip = "…", f"Choose the {what}'s file."
    field.choose_btn.native.setObjectName("openModel")
    return field


def host_of(address: str) -> str:
    """The computer in an address, for buttons; the address itself if there is none in it."""
    try:
        return urlsplit(address).hostname or address
    except ValueError:
        return address
