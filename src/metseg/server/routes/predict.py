"""An image in, its lesions out."""

from __future__ import annotations

import asyncio

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from metseg.inference import Segmentation
from metseg.lesions import PostprocessingConfig
from metseg.server.engine import Loaded
from metseg.server.problems import declared
from metseg.server.responses import MaskDocument, View, check_form, render, result_of
from metseg.server.routes.uploads import (
    ANSWERS,
    ONE_UPLOAD,
    ClaheChoice,
    ModelName,
    Sequences,
    ShownView,
    Slice,
    Smallest,
    TargetName,
    Threshold,
    Upload,
    chosen_form,
    chosen_model,
    decoded_upload,
)
from metseg.server.routes.waiting import while_connected
from metseg.server.services import Services, SharedServices
from metseg.server.upload_decoding import Decoded

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
    file: Upload,
    model: ModelName = None,
    target: TargetName = None,
    sequences: Sequences = None,
    threshold: Threshold = None,
    smallest: Smallest = None,
    clahe: ClaheChoice = None,
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
            decoded = await decoded_upload(services, file, sequences)
            check_form(form, view, decoded, slice_)
            services.engine.hold(slot, decoded.study)
            loaded = (await chosen_model(services, model, decoded.study.sequences, target)).with_clahe(clahe)
            how = loaded.checkpoint.card.postprocessing.adjusted(threshold=threshold, min_lesion_voxels=smallest)
            segmentation, notices = await segment(services, decoded, loaded, how)
            result = await to_thread.run_sync(result_of, decoded, segmentation, loaded.name, notices)
            rendered = await to_thread.run_sync(render, result, form, view, slice_, request.state.request_id)
        return Response(rendered.content, 200, rendered.headers, rendered.media_type)

    return await while_connected(request, answer)


async def segment(
    services: Services, decoded: Decoded, model: Loaded, how: PostprocessingConfig
) -> tuple[Segmentation, list[str]]:
    """Pass a study through the queue; gives it up when this task is cancelled."""
    work, future = services.engine.start(decoded.study, model, how)
    try:
        return await asyncio.wrap_future(future), work.said
    except asyncio.CancelledError:
        services.engine.cancel(work, future)
        raise
