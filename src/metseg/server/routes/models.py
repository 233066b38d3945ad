"""Which models there are."""

from __future__ import annotations

from fastapi import APIRouter

from metseg import __version__
from metseg.server.problems import declared
from metseg.server.responses import ModelList, describe_model
from metseg.server.services import SharedServices

router = APIRouter(tags=["models"])


@router.get("/models", responses=declared(401, 403, 500))
def models(services: SharedServices) -> ModelList:
    """List the models that `model` can name, with what their cards say."""
    registry = services.model_registry
    default, loaded = registry.default, registry.loaded
    return ModelList(
        automatic=registry.automatic,
        device=services.runner.device,
        metseg=__version__,
        models=[describe_model(info, default=default, loaded=loaded) for info in registry.listed()],
    )
