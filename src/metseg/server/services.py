"""What the routes of one server share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from metseg.server.draining import Draining
from metseg.server.engine import Engine, ModelRegistry, Runner
from metseg.server.jobs import Jobs
from metseg.server.metrics import Metrics
from metseg.server.settings import Settings
from metseg.server.upload_decoding import Decoder


@dataclass(eq=False)
class Services:
    """Everything that is made when the server starts.

    Attributes
    ----------
    settings : Settings
        What the server was told.
    draining : Draining
        Whether the server is closing.
    runner : Runner
        What runs the networks.
    engine : Engine
        The queue in front of them.
    jobs : Jobs
        Whole studies that are asked for and fetched later.
    ready : bool
        Whether the default model is loaded and warm.
    """

    settings: Settings
    metrics: Metrics
    draining: Draining
    decoder: Decoder
    runner: Runner
    model_registry: ModelRegistry
    engine: Engine
    jobs: Jobs
    ready: bool = field(default=False)


def services_of(request: Request) -> Services:
    """The services of the server that takes ``request``."""
    services: Services = request.app.state.services
    return services


SharedServices = Annotated[Services, Depends(services_of)]
