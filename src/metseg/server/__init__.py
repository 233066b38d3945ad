"""The HTTP server: the same masks as ``metseg predict``, for whoever can send an image.

``uvicorn metseg.server:app`` serves with the settings in the environment (``METSEG_*``); :func:`create_app` makes an
application of any :class:`Settings` and routers. Everything is imported where it is used: the processes that decode
uploads import this package too, and need no network.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from metseg.server.application import create_app
    from metseg.server.routes import ROUTERS
    from metseg.server.services import Services, SharedServices
    from metseg.server.settings import Settings, settings_from_environment

    app: FastAPI

__all__ = ["ROUTERS", "Services", "Settings", "SharedServices", "app", "create_app", "settings_from_environment"]

_PLACES = {
    "ROUTERS": "routes",
    "Services": "services",
    "Settings": "settings",
    "SharedServices": "services",
    "create_app": "application",
    "settings_from_environment": "settings",
}


def __getattr__(name: str) -> object:
    """Import what is asked for; make ``app`` when a server asks for it."""
    if name == "app":
        from metseg.server.application import app_from_environment

        value: object = app_from_environment()
    elif name in _PLACES:
        value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
