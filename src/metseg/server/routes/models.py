"""Which models there are."""

from __future__ import annotations

from fastapi import APIRouter

from metseg.server.answers import ModelList, describe_model
from metseg.server.problems import declared
from metseg.server.services import SharedServices

router = APIRouter(tags=["models"])


@router.get("/models", responses=declared(401, 403, 500))
def models(services: SharedServices) -> ModelList:
    """List the models that `model` can name, with what their cards say."""
    catalogue = services.catalogue
    default, loaded = catalogue.default, catalogue.loaded
    return ModelList(
        automatic=catalogue.automatic,
        models=[describe_model(info, default=default, loaded=loaded) for info in catalogue.listed()],
    )
