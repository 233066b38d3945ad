"""Whether the server lives, whether it is ready, and its numbers."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from metseg.server.problems import ProblemError, declared
from metseg.server.services import SharedServices

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """A sign of life."""

    status: str


@router.get("/livez", responses=declared(500, 503))
async def live() -> Health:
    """Answer as long as the event loop runs."""
    return Health(status="live")


@router.get("/readyz", responses=declared(500, 503))
async def ready(services: SharedServices) -> Health:
    """Answer 200 while requests are welcome: the model is warm, a worker is there, and the server is not closing."""
    if services.draining.begun:
        raise ProblemError(503, "the server is closing", {"Retry-After": "5"})
    if not services.ready:
        raise ProblemError(503, "the model is being loaded", {"Retry-After": "5"})
    if not services.runner.workers:
        raise ProblemError(503, "no worker runs a network; one is being started", {"Retry-After": "5"})
    return Health(status="ready")


@router.get(
    "/metrics",
    responses={**declared(401, 403, 500), 200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def metrics(services: SharedServices) -> Response:
    """Numbers for Prometheus."""
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
