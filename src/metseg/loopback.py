"""Which addresses nobody but this computer can reach: what decides whether a service needs a token."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer can reach ``host``, a name or an address; IPv6 may stand in brackets."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str | None:
    """The host that an ``http`` or ``https`` URL names; ``None`` if it is no such URL, or one with a user's name."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if parts.scheme in ("http", "https") and parts.username is None else None


def is_readable_on_the_way(url: str) -> bool:
    """Whether others could read what is sent to ``url``: over http to another computer."""
    return urlsplit(url).scheme == "http" and not is_loopback(host_of(url) or "")
