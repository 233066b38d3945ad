"""Studies that are sent now and fetched later."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from metseg.http_documents import JobDocument, MaskDocument
from metseg.server.problems import declared
from metseg.server.responses import View, check_form, render
from metseg.server.routes.uploads import ANSWERS, ONE_UPLOAD, Prediction, ShownView, Slice, chosen_form
from metseg.server.routes.waiting import while_connected
from metseg.server.services import SharedServices

router = APIRouter(prefix="/jobs", tags=["jobs"])

JobId = Annotated[str, Path(alias="id", max_length=64, description="From the answer to POST /jobs.")]

#: Chosen by a client that loses its connection, and must find out whether its study has arrived.
NewId = Annotated[
    str | None,
    Query(
        alias="id",
        pattern="^[A-Za-z0-9_-]{16,64}$",
        description="What the job is to be called, which nobody can guess; if there is one of that name already, that "
        "is the answer, and the upload is not looked at.",
    ),
]

_ACCEPTED = {
    "description": "The study is in the queue.",
    "headers": {"Location": {"description": "Where its progress is.", "schema": {"type": "string"}}},
}


@router.post(
    "",
    status_code=202,
    dependencies=ONE_UPLOAD,
    responses={202: _ACCEPTED, **declared(400, 401, 403, 408, 409, 413, 415, 422, 500, 503)},
)
async def start_job(
    request: Request,
    response: Response,
    services: SharedServices,
    wanted: Prediction,
    name: NewId = None,
) -> JobDocument:
    """Put a study into the queue and come back for it."""

    async def start() -> JobDocument:
        if name and (known := services.jobs.find(name)):
            return known.document(services.settings.job_seconds)
        services.jobs.make_room()
        slot = services.engine.admit()
        try:
            decoded, work, future = await wanted.start(slot)
        except BaseException:
            slot.close()
            raise
        return services.jobs.add(decoded, slot, work, future, name or "").document(services.settings.job_seconds)

    document = await while_connected(request, start)
    response.headers["Location"] = str(request.url_for("job_progress", id=document.id).path)
    return document


@router.get("/{id}", responses=declared(401, 403, 404, 422, 500))
async def job_progress(services: SharedServices, name: JobId) -> JobDocument:
    """How far a job is."""
    return services.jobs.get(name).document(services.settings.job_seconds)


@router.delete("/{id}", responses=declared(401, 403, 404, 422, 500))
async def cancel_job(services: SharedServices, name: JobId) -> JobDocument:
    """Give a job up, or forget its result; it is not there afterwards."""
    return services.jobs.remove(name).document(services.settings.job_seconds)


@router.get(
    "/{id}/result",
    response_model=MaskDocument,
    responses={200: ANSWERS, **declared(401, 403, 404, 406, 409, 422, 500, 503)},
)
async def job_result(
    request: Request, services: SharedServices, name: JobId, view: ShownView = View.MASK, slice_: Slice = None
) -> Response:
    """What came of a job, in the form that `Accept` chooses, as often as it is asked for."""
    form = chosen_form(request, view)
    result = services.jobs.result(name)
    check_form(form, view, result.decoded, slice_)
    rendered = await to_thread.run_sync(render, result, form, view, slice_, request.state.request_id)
    return Response(rendered.content, 200, rendered.headers, rendered.media_type)
