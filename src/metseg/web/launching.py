"""Start the page as a program would, with settings that travel with the package."""

from __future__ import annotations

import os
from pathlib import Path

from metseg.errors import DataError, require_packages
from metseg.loopback import is_loopback

#: What ``streamlit run`` takes.
PAGE = Path(__file__).with_name("page.py")

_NEEDED = ("streamlit", "niivue_component", "nibabel", "jinja2", "httpx")


def upload_limit() -> int:
    """MiB that one upload may have: METSEG_UPLOAD_MIB, as for the server."""
    given = os.environ.get("METSEG_UPLOAD_MIB", "128")
    if not given.isdecimal() or int(given) < 1:
        raise DataError(f"METSEG_UPLOAD_MIB is {given!r}; it must be a number of MiB")
    return int(given)


def open_page(server: str | None, host: str, port: int, model: str) -> None:
    """Run the page until it is ended with Ctrl-C or SIGTERM; without a server, start one and stop it at the end.

    Parameters
    ----------
    server : str or None
        Address of a metseg server; its token is read from METSEG_TOKEN.
    host, port : str, int
        Where the page is.
    model : str
        What a server of our own uses unless another is chosen.

    Raises
    ------
    MissingExtraError
        If Streamlit or a part of the page is not installed.
    DataError
        If others could open the page and there is no METSEG_TOKEN to ask them for.
    """
    require_packages(_NEEDED, "ui")
    if not is_loopback(host) and not os.environ.get("METSEG_TOKEN"):
        raise DataError(
            f"{host} can be reached from other computers: set METSEG_TOKEN to a secret that the page asks for, "
            "or open it on 127.0.0.1"
        )
    from streamlit.web import cli

    from metseg.web.server import own_server

    if server is not None:
        os.environ["METSEG_SERVER"] = server
    else:
        os.environ.pop("METSEG_SERVER", None)
        os.environ["METSEG_MODEL"] = model
        own_server()
    options = {"server.address": host, "server.port": port, "server.maxUploadSize": upload_limit()}
    flags = [f"--{name}={value}" for name, value in options.items()]
    cli.main(["run", str(PAGE), *flags], standalone_mode=False)
