"""Which addresses nobody but this computer can reach: what decides whether a service needs a token."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer can reach ``host``, a name or an address; IPv6 may stand in brackets."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
