"""The images of the project and their labels."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Query, Response, UploadFile
from pydantic import BaseModel, Json

from metseg.curation import CaseSummary
from metseg.errors import DataError
from metseg.server.logs import log
from metseg.server.problems import ProblemError
from metseg.server.routes.uploads import UPLOAD, VOLUME_TYPES, decoded_upload, upload_of
from metseg.server.services import SharedServices
from metseg.server.slicer.context import SharedContext, SlicerContext
from metseg.server.slicer.forms import FORM_LIMITS, MULTIPART, PARAMS, ClientParameters, ImageId, NewImageId, refused
from metseg.server.slicer.images import image_of_case
from metseg.server.slicer.labels import LESION, LabelParameters, SavedLabel, drawn_mask, save_mask
from metseg.server.slicer.placement import add_upload
from metseg.server.slicer.routes.info import FINAL, ORIGINAL, Store, has_final, has_original, stock
from metseg.server.slicer.routes.samples import file_name
from metseg.server.slicer.volumes import case_volume
from metseg.server.upload_decoding import Decoded

router = APIRouter(prefix="/datastore", tags=["slicer"], form_limits=FORM_LIMITS)

_VOLUME: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}}
}
_UPLOADING = refused(
    400,
    401,
    403,
    404,
    408,
    409,
    413,
    415,
    422,
    500,
    503,
    status_409="Somebody else has the case open, or another image has that name; nothing was stored.",
)


class ListingOutput(StrEnum):
    """How much is listed."""

    STATS = "stats"
    ALL = "all"


class Tag(StrEnum):
    """Which label."""

    ORIGINAL = ORIGINAL
    FINAL = FINAL


class Stored(BaseModel):
    """An image or a label."""

    ext: str = ".nii.gz"
    info: dict[str, Any]


class StoredImage(BaseModel):
    """An image and its labels by tag."""

    image: Stored
    labels: dict[str, Stored]


class Stock(BaseModel):
    """Everything there is."""

    name: str = "metseg"
    description: str = "A metseg project"
    images_dir: str = ""
    labels_dir: str = "labels"
    objects: dict[str, StoredImage]


class AddedImage(BaseModel):
    """An image is in the project."""

    image: str


@router.get("/", responses=refused(401, 403, 422, 500))
def datastore(context: SharedContext, output: ListingOutput = ListingOutput.STATS) -> Store | Stock:
    """How much is done; or every image with its labels."""
    cases = context.cases.listed()
    if output is ListingOutput.STATS:
        return stock(cases)
    usual = LESION if context.models.automatic else context.models.segments()[0]
    return Stock(objects={case.name: _stored(case, case.target or usual) for case in cases})


@router.get("/image", response_class=Response, responses={**_VOLUME, **refused(401, 403, 404, 422, 500)})
def download_image(context: SharedContext, image: ImageId) -> Response:
    """An image as NIfTI: FLAIR, or what stands for it."""
    return _file(image_of_case(context.cases, image).content, file_name(image))


@router.put("/", dependencies=MULTIPART, responses=_UPLOADING)
@router.put("/image", dependencies=MULTIPART, responses=_UPLOADING)
async def add_image(
    services: SharedServices,
    context: SharedContext,
    image: NewImageId,
    file: Annotated[UploadFile, UPLOAD],
    params: Annotated[Json[ClientParameters | None], PARAMS] = None,
) -> AddedImage:
    """Add an image to the project; it is kept there as TIFF, with its place in the head beside it."""
    decoded = await decoded_upload(services, file)
    await to_thread.run_sync(_add, context, image, decoded)
    return AddedImage(image=image)


@router.get("/label", response_class=Response, responses={**_VOLUME, **refused(401, 403, 404, 422, 500)})
def download_label(
    context: SharedContext,
    label: Annotated[str, Query(description="The image's name.", max_length=500)],
    tag: Tag,
) -> Response:
    """The label of an image as NIfTI, 0 and 1.

    `original` is what a person goes on with: the labels as they are now, be they predicted or drawn. `final` is the
    same, once somebody has corrected or approved it.
    """
    case = context.cases.view(label)
    if not (has_final if tag is Tag.FINAL else has_original)(case.summary):
        raise ProblemError(404, f"the image has no {tag} label yet")
    return _file(case_volume((case.labels > 0).astype(np.uint8), case.description.geometry), "label.nii.gz")


@router.put("/label", dependencies=MULTIPART, responses=_UPLOADING)
async def save_label(
    services: SharedServices,
    context: SharedContext,
    image: ImageId,
    label: Annotated[UploadFile, upload_of(VOLUME_TYPES, "NIfTI on the image's grid; every value but 0 is lesion.")],
    tag: Annotated[Literal["", "final"], Query(description="`final`, or nothing.")] = "final",
    params: Annotated[Json[LabelParameters | None], PARAMS] = None,
) -> SavedLabel:
    """Take over a label that a person has corrected; the case is `corrected` then. Approving it is another step.

    When this has answered, the label is on the disk. If somebody else has the case open, nothing is stored (409).
    """
    parameters = params or LabelParameters()
    decoded = await decoded_upload(services, label)
    digest = await to_thread.run_sync(_digest, label)
    detail = {"from": "MONAI Label client", "sha256": digest}
    return await to_thread.run_sync(_save, context, image, decoded, parameters, detail)


def _add(context: SlicerContext, name: str, decoded: Decoded) -> None:
    try:
        add_upload(context.cases.project(), name, decoded)
    except DataError as error:
        log("an image was not added", error=error)
        raise ProblemError(500, "the image cannot be written: the project's folder is read-only or full") from error


def _save(
    context: SlicerContext, name: str, decoded: Decoded, parameters: LabelParameters, detail: dict[str, Any]
) -> SavedLabel:
    mask = drawn_mask(decoded, parameters.segments, context.cases.view(name).description)
    with context.cases.session(name, parameters.who) as session:
        return save_mask(session, mask, detail)


def _digest(upload: UploadFile) -> str:
    upload.file.seek(0)
    return hashlib.file_digest(upload.file, "sha256").hexdigest()  # type: ignore[arg-type]  # a spooled file is one


def _stored(case: CaseSummary, segment: str) -> StoredImage:
    names = {"label_names": {segment: 1}}
    parameters = {
        "params": names,
        "status": case.status,
        "model": case.model,
        "lesions": case.lesions,
        "voxels": case.voxels,
    }
    labels = {
        tag: Stored(info={"name": "label.nii.gz", **parameters})
        for tag, there in ((ORIGINAL, has_original(case)), (FINAL, has_final(case)))
        if there
    }
    return StoredImage(
        image=Stored(info={"name": file_name(case.name), "shape": case.shape, "status": case.status}), labels=labels
    )


def _file(content: bytes, name: str) -> Response:
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    headers = {"Content-Disposition": f'attachment; filename="{ascii_name}"'}
    return Response(content, media_type="application/gzip", headers=headers)
