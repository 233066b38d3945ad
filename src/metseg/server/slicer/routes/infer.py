"""Outlines of an image of the project, of a session, or of a file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field, Json

from metseg.inference import Segmentation
from metseg.lesions import label_lesions
from metseg.preprocessing import Clahe
from metseg.server.engine import Work
from metseg.server.problems import ProblemError
from metseg.server.routes.predict import finished
from metseg.server.routes.uploads import UPLOAD, decoded_upload
from metseg.server.routes.waiting import while_connected
from metseg.server.services import Services, SharedServices
from metseg.server.slicer.context import SharedContext, SlicerContext
from metseg.server.slicer.forms import FORM_LIMITS, MULTIPART, PARAMS, ClientParameters, multipart, refused
from metseg.server.slicer.outlining import ImageToOutline, keep
from metseg.server.slicer.volumes import UNKNOWN_SPACING

router = APIRouter(tags=["slicer"], form_limits=FORM_LIMITS)

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A form with `params` (JSON) and `image` (.nii.gz); or one of them, as `output` says.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["params", "image"],
                    "properties": {
                        "params": {"$ref": "#/components/schemas/MaskDescription"},
                        "image": {"type": "string", "format": "binary"},
                    },
                }
            },
            "application/gzip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class InferOutput(StrEnum):
    """What is answered."""

    ALL = "all"
    JSON = "json"
    IMAGE = "image"


class InferenceParameters(ClientParameters):
    """What can be chosen for one outline; the model's own unless given."""

    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    smallest: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    clahe: Clahe | None = Field(
        None, description="Equalised slices (`on`), plain ones (`off`), or the average of both (`average`)."
    )


class MaskDescription(BaseModel):
    """What is said of a mask."""

    label_names: dict[str, int] = Field(description="The mask's values by segment, which is named after its target.")
    model: str
    weights_sha256: str
    target: str = Field(description="What it outlines.")
    threshold: float
    smallest: int
    clahe: Clahe = Field(description="Which slices the network was shown.")
    lesions: int
    voxels: int
    spacing: list[float] | None = Field(description="Along z, y, x in mm; null if it is not known.")
    stored: bool = Field(description="Whether it is the case's prediction now.")
    notices: list[str] = Field(description="What must be said of it, and why it was not stored.")


async def _no_label(request: Request) -> None:
    """Refuse a label instead of passing over it."""
    if "label" in await request.form():
        raise ProblemError(422, "field label: no model here starts from a label")


@router.post(
    "/infer/{model}",
    dependencies=[*MULTIPART, Depends(_no_label)],
    response_model=MaskDescription,
    responses={**_ANSWERS, **refused(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503)},
)
async def infer(
    request: Request,
    services: SharedServices,
    context: SharedContext,
    model: Annotated[str, Path(max_length=200, description="A model that /info/ lists, or auto.")],
    image: Annotated[
        str, Query(max_length=500, description="An image of the project; needed without the other two.")
    ] = "",
    session_id: Annotated[str, Query(max_length=64, description="An image of a session, in place of `image`.")] = "",
    output: InferOutput = InferOutput.ALL,
    file: Annotated[UploadFile | None, UPLOAD] = None,
    params: Annotated[Json[InferenceParameters | None], PARAMS] = None,
) -> Response:
    """Outline lesions, bit for bit as /predict does.

    The mask of an image of the project becomes the case's prediction unless a person has worked on the case; what
    the server answers is the network's mask in any case.
    """
    parameters = params or InferenceParameters()

    async def answer() -> Response:
        with services.engine.admit() as slot:
            source = await _source(services, context, file, session_id, image)
            services.engine.hold(slot, source.decoded.study)
            loaded = await to_thread.run_sync(context.models.get, model, source.decoded.study.sequences)
            usual = loaded.checkpoint.card.postprocessing
            how = usual.adjusted(threshold=parameters.threshold, min_lesion_voxels=parameters.smallest)
            work, future = services.engine.start(source.decoded.study, loaded.with_clahe(parameters.clahe), how)
            segmentation = await finished(services.engine, work, future)
            return await to_thread.run_sync(
                _answer, context, source, work, segmentation, parameters.who, output, request.state.request_id
            )

    return await while_connected(request, answer)


async def _source(
    services: Services, context: SlicerContext, file: UploadFile | None, session_id: str, image: str
) -> ImageToOutline:
    if session_id:
        session = context.sessions.get(session_id)
        with session.path.open("rb") as sent:
            return ImageToOutline(await services.decoder.decode(sent))
    if file is not None:
        return ImageToOutline(await decoded_upload(services, file))
    if not image:
        raise ProblemError(404, "name an image of the project (?image=), a session (?session_id=), or send a file")
    return await to_thread.run_sync(ImageToOutline.of_case, context.cases, image)


def _answer(
    context: SlicerContext,
    source: ImageToOutline,
    work: Work,
    segmentation: Segmentation,
    who: str,
    output: InferOutput,
    request_id: str,
) -> Response:
    notices = [*source.decoded.notices, *work.messages]
    kept = False
    if source.case:
        reason = keep(context.cases, source.case, work.model.checkpoint.card.name, segmentation, who)
        kept = not reason
        notices += [f"not stored: {reason}"] if reason else []
    spacing = source.decoded.study.geometry.spacing
    if spacing is None:
        notices.append(UNKNOWN_SPACING)
    outline = MaskDescription(
        label_names={segmentation.target: 1},
        model=work.model.name,
        weights_sha256=segmentation.weights_sha256,
        target=segmentation.target,
        threshold=segmentation.postprocessing.threshold,
        smallest=segmentation.postprocessing.min_lesion_voxels,
        clahe=segmentation.clahe,
        lesions=int(label_lesions(segmentation.mask).max()),
        voxels=int(segmentation.mask.sum()),
        spacing=None if spacing is None else list(spacing),
        stored=kept,
        notices=notices,
    )
    if output is InferOutput.JSON:
        return Response(outline.model_dump_json(), media_type="application/json")
    volume, name = source.volume(segmentation.mask), f"{request_id}.nii.gz"
    if output is InferOutput.IMAGE:
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(volume, media_type="application/gzip", headers=headers)
    content, kind = multipart(outline.model_dump(mode="json"), name, volume)
    return Response(content, media_type=kind)
