"""What "Open from PACS" shows and the user chooses: plain values with signals, no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from psygnal import SignalGroupDescriptor

from metseg.dicomweb import Credentials, PacsSeries, PacsStudy, known_credentials
from metseg.events import Progress
from metseg.napari_plugin.state import Activity, LayerChoice
from metseg.reporting import DicomResult

#: What is stored unless the user chooses otherwise.
USUAL_RESULTS = frozenset({DicomResult.SEG, DicomResult.REPORT})


class SignInKind(StrEnum):
    """How we are let in."""

    KNOWN = "Environment or keyring"
    PASSWORD = "User and password"  # noqa: S105  (a title)
    TOKEN = "Token"  # noqa: S105  (a title)
    CERTIFICATE = "Client certificate"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a user typed to be let in.

    Attributes
    ----------
    first, second : str
        User and password; a token; files of certificate and key.
    remember : bool
        Keep it in the system's keyring once it worked.
    """

    address: str
    kind: SignInKind = SignInKind.KNOWN
    first: str = ""
    second: str = field(default="", repr=False)
    remember: bool = False

    def credentials(self) -> Credentials:
        """Ask the keyring if need be: not in the window's thread.

        Raises
        ------
        DataError
            If it cannot be what it shall be.
        """
        match self.kind:
            case SignInKind.KNOWN:
                return known_credentials(self.address)
            case SignInKind.PASSWORD:
                return Credentials.of_password(self.first, self.second)
            case SignInKind.TOKEN:
                return Credentials.of_token(self.second)
            case SignInKind.CERTIFICATE:
                return Credentials(certificate=self.first, key=self.second)


@dataclass
class PacsState:
    """The state that view and controller share. Every field has a signal in ``events``.

    Attributes
    ----------
    connected : str
        Address of the service that answered last; empty if none did.
    message, problem : str
        What came of the last work; why it failed.
    studies : tuple of PacsStudy, or None
        What was found; None before any search.
    chosen : frozenset of str
        UIDs of the series to open.
    outlines, outline
        Labels layers of DICOM series, and the one to store.
    results : frozenset of DicomResult
        As what it is stored.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    connected: str = ""
    activity: Activity = Activity.IDLE
    progress: Progress = Progress(0, 0)
    notices: tuple[str, ...] = ()
    message: str = ""
    problem: str = ""
    studies: tuple[PacsStudy, ...] | None = None
    study: PacsStudy | None = None
    series: tuple[PacsSeries, ...] = ()
    chosen: frozenset[str] = frozenset()
    outlines: tuple[LayerChoice, ...] = ()
    outline: Any = None
    results: frozenset[DicomResult] = USUAL_RESULTS

    def choose_result(self, kind: DicomResult, chosen: bool) -> None:
        """Store a kind of object, or do not; a report comes with the SEG that it refers to, and goes with it."""
        if chosen:
            self.results |= {kind, DicomResult.SEG} if kind is DicomResult.REPORT else {kind}
        else:
            self.results -= {kind, DicomResult.REPORT} if kind is DicomResult.SEG else {kind}
