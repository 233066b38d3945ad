"""Which server the page calls: the one that METSEG_SERVER names, else one of its own."""

from __future__ import annotations

import os

from metseg.client import Address
from metseg.web.local_server import own_server


def server_address() -> Address:
    """Where the server is; a server of our own is started if none is named."""
    named = os.environ.get("METSEG_SERVER")
    if named:
        return Address(named.rstrip("/"), os.environ.get("METSEG_TOKEN") or None)
    return own_server().address


def own_server_is_starting() -> bool:
    """Whether there is no server yet because our own still starts.

    Raises
    ------
    ServerDownError
        If our own has ended.
    """
    if os.environ.get("METSEG_SERVER"):
        return False
    own_server().check_alive()
    return True
