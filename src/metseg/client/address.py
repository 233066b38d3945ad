"""Where a server is, and the token that it wants: from the environment or the keyring, never from a file of ours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from metseg.errors import DataError
from metseg.keychain import keep, recall
from metseg.loopback import host_of, is_readable_on_the_way

#: The environment variable with the token, the same that the server reads.
TOKEN = "METSEG_TOKEN"  # noqa: S105

#: What tokens are kept for in the keyring, under the server's URL.
_SERVICE = "napari-metseg server"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and the token that it wants."""

    url: str
    token: str | None = field(default=None, repr=False)


def server_at(server: str | Address) -> Address:
    """The address of a server, with the token in METSEG_TOKEN, else that of the keyring.

    Parameters
    ----------
    server : str or Address
        Such as ``https://gpu.example.org``; an :class:`Address` has its own token.

    Raises
    ------
    DataError
        If it is no such URL, or the token cannot be sent, or would be readable on its way.
    """
    if isinstance(server, Address):
        address = server
    else:
        url = server.strip().rstrip("/")
        address = Address(url, (os.environ.get(TOKEN) or recall(_SERVICE, url) or "").strip() or None)
    if not host_of(address.url):
        raise DataError(f"{address.url}: is no URL of a metseg server such as https://gpu.example.org")
    if address.token is not None:
        if not address.token.isascii() or not address.token.isprintable():
            raise DataError(f"the token ({TOKEN}) has characters that no token has; copy it again")
        if is_readable_on_the_way(address.url):
            raise DataError(f"{address.url}: over http anybody could read the token and the images; use https")
    return address


def remember_token(address: Address) -> None:
    """Keep an address' token in the system's keyring, where :func:`server_at` finds it.

    Raises
    ------
    DataError
        If the system has no keyring, or it is locked.
    MissingExtraError
        If keyring is not installed.
    """
    keep(_SERVICE, address.url, address.token or "", instead=f"set {TOKEN} instead")
