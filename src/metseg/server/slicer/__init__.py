"""A project for 3D Slicer: the routes of MONAI Label, answered over the cases of a :class:`metseg.curation.Project`."""

from __future__ import annotations

from fastapi import APIRouter

from metseg.curation import Project
from metseg.server.settings import Settings
from metseg.server.slicer.context import opened_context
from metseg.server.slicer.routes import OPEN_ROUTERS, ROUTERS

__all__ = ["slicer_routers"]


def slicer_routers(settings: Settings) -> tuple[APIRouter, ...]:
    """The routes over the project that ``settings`` names; none if it names none.

    MetsegError if there is no project in that folder.
    """
    if settings.project is None:
        return ()
    Project.open(settings.project)
    first = APIRouter(tags=["slicer"], lifespan=opened_context)
    for router in ROUTERS:
        first.include_router(router)
    return (first, *OPEN_ROUTERS)
