"""What the routes for 3D Slicer share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, FastAPI, Request

from metseg.server.services import Services
from metseg.server.slicer.cases import ProjectCases
from metseg.server.slicer.models import Models
from metseg.server.slicer.samples import Samples
from metseg.server.slicer.sessions import Sessions
from metseg.server.slicer.training import Trainings


@dataclass(frozen=True, eq=False)
class SlicerContext:
    """A project, and what is done with it over the network.

    Attributes
    ----------
    sessions : Sessions
        Images without a place in the project.
    """

    cases: ProjectCases
    models: Models
    samples: Samples
    sessions: Sessions
    trainings: Trainings

    @classmethod
    def over(cls, path: Path, services: Services) -> SlicerContext:
        """The context over the project at ``path``; MetsegError if there is no project."""
        cases = ProjectCases(path)
        return cls(
            cases,
            Models(path, services.model_registry),
            Samples(cases),
            Sessions(),
            Trainings(path, services.settings.training_data, services.settings.device),
        )


def slicer_context_of(request: Request) -> SlicerContext:
    """The context of the server that takes ``request``."""
    context: SlicerContext = request.app.state.context
    return context


SharedContext = Annotated[SlicerContext, Depends(slicer_context_of)]


@asynccontextmanager
async def opened_context(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Open the context when the server has started, and close it before the server ends."""
    services: Services = app.state.services
    if services.settings.project is None:
        raise RuntimeError("these routes need a project")
    context = await to_thread.run_sync(SlicerContext.over, services.settings.project, services)
    app.state.context = context
    try:
        yield {}
    finally:
        await to_thread.run_sync(context.trainings.close)
        await to_thread.run_sync(context.sessions.close)
