"""``metseg serve``: the application under uvicorn, with its limits."""

from __future__ import annotations

import contextlib
import sys

import uvicorn

from metseg.server.settings import settings_from_environment

#: Connections without a request are closed after that many seconds.
_IDLE_SECONDS = 20
_STARTUP_FAILURE = 3


def serve(host: str, port: int) -> None:
    """Serve :data:`metseg.server.app` with the settings in the environment until Ctrl-C or SIGTERM.

    Raises
    ------
    SystemExit
        If the server could not be started.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            "metseg.server:app",
            host=host,
            port=port,
            loop="asyncio",
            http="metseg.server.connections:PatientProtocol",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=int(settings_from_environment().grace_seconds),
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILURE)
