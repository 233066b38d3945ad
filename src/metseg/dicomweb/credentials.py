"""Credentials for a PACS: from the environment or the system's keyring, never from a file of ours."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field

from metseg.errors import DataError
from metseg.keychain import keep, recall

#: What the environment may hold: the ``Authorization`` header, and files of a client's certificate and its key.
AUTHORIZATION, CERTIFICATE, KEY = "METSEG_DICOMWEB_AUTHORIZATION", "METSEG_DICOMWEB_CERT", "METSEG_DICOMWEB_KEY"

_SERVICE = "napari-metseg DICOMweb"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for a service.

    Attributes
    ----------
    authorization : str
        The ``Authorization`` header; empty for none.
    certificate, key : str
        PEM files of a client's certificate and its key, which may be in one file; empty for none.
    """

    authorization: str = field(default="", repr=False)
    certificate: str = ""
    key: str = ""

    @classmethod
    def of_password(cls, user: str, password: str) -> Credentials:
        """HTTP's basic authentication (RFC 7617)."""
        return cls("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii"))

    @classmethod
    def of_token(cls, token: str) -> Credentials:
        """A bearer token (RFC 6750), or a whole header such as ``Bearer …``.

        Raises
        ------
        DataError
            If it cannot be sent in a header.
        """
        token = token.strip()
        if not token.isascii() or not token.isprintable():
            raise DataError("the token has characters that no token has; copy it again")
        return cls(token if " " in token or not token else f"Bearer {token}")


def known_credentials(url: str) -> Credentials:
    """What the environment holds, else what the keyring holds for ``url``, else none."""
    names = (AUTHORIZATION, CERTIFICATE, KEY)
    stated = Credentials(*(os.environ.get(name, "") for name in names))
    if stated != Credentials():
        return stated
    kept = recall(_SERVICE, url)
    try:
        return Credentials() if kept is None else Credentials(**json.loads(kept))
    except (ValueError, TypeError):
        return Credentials()


def remember(url: str, credentials: Credentials) -> None:
    """Keep the credentials for ``url`` in the system's keyring; a certificate's files stay where they are.

    Raises
    ------
    DataError
        If the system has no keyring, or it is locked.
    MissingExtraError
        If keyring is not installed.
    """
    kept = json.dumps(asdict(credentials))
    keep(_SERVICE, url, kept, instead=f"set {AUTHORIZATION}, or {CERTIFICATE} and {KEY}, instead")
