"""The next image."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from metseg.curation.names import safe_name
from metseg.server.slicer.context import SharedContext
from metseg.server.slicer.forms import ClientParameters, refused
from metseg.server.slicer.images import image_of_case
from metseg.server.slicer.samples import Strategy

router = APIRouter(tags=["slicer"])


class SampleDocument(BaseModel):
    """An image to look at; without `id`, if no image waits."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "patient_a", "name": "patient_a.nii.gz"}]})

    id: str | None = None
    name: str | None = Field(None, description="Of the file.")
    checksum: str | None = Field(None, description="Of what /datastore/image gives, `SHA256:...`.")
    ts: int | None = Field(None, description="Seconds since 1970.")
    spacing: list[float] | None = Field(None, description="Along z, y, x in mm; missing if not known.")
    status: str | None = Field(None, description="Where the case stands.")
    strategy: dict[str, dict[str, Any]] | None = Field(None, description="What chose it, and for whom.")


@router.post(
    "/activelearning/{strategy}", response_model_exclude_none=True, responses=refused(400, 401, 403, 408, 413, 422, 500)
)
def next_sample(
    context: SharedContext, strategy: Strategy, wanted: Annotated[ClientParameters | None, Body()] = None
) -> SampleDocument:
    """The next image that nobody has corrected, approved or rejected; an empty answer if there is none."""
    who = (wanted or ClientParameters()).who
    chosen = context.samples.next(strategy, who)
    if chosen is None:
        return SampleDocument()
    case = context.cases.view(chosen.name)
    now, spacing = int(time.time()), case.description.spacing
    return SampleDocument(
        id=chosen.name,
        name=file_name(chosen.name),
        checksum=f"SHA256:{image_of_case(context.cases, chosen.name).sha256}",
        ts=now,
        spacing=None if spacing is None else list(spacing),
        status=chosen.status,
        strategy={strategy.value: {"ts": now, "client_id": who}},
    )


def file_name(case: str) -> str:
    """What the volume of a case is called as a file."""
    return f"{safe_name(case, 120) or 'image'}.nii.gz"
