"""An image in, its lesions out."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from metseg.http_documents import MaskDocument
from metseg.inference import Segmentation
from metseg.server.engine import Engine, Work
from metseg.server.problems import declared
from metseg.server.responses import View, check_form, render, result_of
from metseg.server.routes.uploads import ANSWERS, ONE_UPLOAD, Prediction, ShownView, Slice, chosen_form
from metseg.server.routes.waiting import while_connected
from metseg.server.services import SharedServices

router = APIRouter(tags=["predict"])


@router.post(
    "/predict",
    dependencies=ONE_UPLOAD,
    response_model=MaskDocument,
    responses={200: ANSWERS, **declared(400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 500, 503)},
)
async def predict(
    request: Request,
    services: SharedServices,
    wanted: Prediction,
    view: ShownView = View.MASK,
    slice_: Slice = None,
) -> Response:
    """Outline lesions in one image or study, and wait for the answer.

    `Accept` chooses its form: JSON with runs and the table of lesions, TIFF, PNG, NIfTI (`application/gzip`,
    `application/x-nifti`), zip, or of a DICOM series SEG (`application/dicom`). A TIFF is byte for byte what
    `metseg predict` writes.
    """
    form = chosen_form(request, view)

    async def answer() -> Response:
        with services.engine.admit() as slot:
            decoded, work, future = await wanted.start(slot, lambda sent: check_form(form, view, sent, slice_))
            segmentation = await finished(services.engine, work, future)
            result = await to_thread.run_sync(result_of, decoded, segmentation, work.model.name, work.messages)
            rendered = await to_thread.run_sync(render, result, form, view, slice_, request.state.request_id)
        return Response(rendered.content, 200, rendered.headers, rendered.media_type)

    return await while_connected(request, answer)


async def finished(engine: Engine, work: Work, future: Future[Segmentation]) -> Segmentation:
    """The segmentation of a study in the queue, which leaves the queue when this task is cancelled."""
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        engine.cancel(work, future)
        raise
