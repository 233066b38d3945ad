"""What requests with an upload have in common."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import Depends, File, Query, Request, UploadFile

from metseg.errors import DataError
from metseg.inference import Segmentation
from metseg.lesions import TargetChoice
from metseg.preprocessing import Clahe
from metseg.server.engine import LoadedModel, QueueSlot, Work
from metseg.server.negotiation import preferred
from metseg.server.problems import ProblemError
from metseg.server.responses import DICOM, GZIP, NIFTI, PNG, TIFF, ZIP, View, offers
from metseg.server.services import Services, SharedServices
from metseg.server.upload_decoding import Decoded
from metseg.study import Sequence, parse_sequences

#: Where an upload goes, and what it may be.
UPLOAD_PATHS = frozenset({"/predict", "/jobs"})
UPLOAD_TYPES = f"{TIFF}, {PNG}, image/jpeg, {GZIP}, {NIFTI}, {DICOM}, {ZIP}"
VOLUME_TYPES = "application/gzip, application/x-nifti"
#: Where a field of a form says which types it takes; in the OpenAPI document that becomes its encoding.
TYPES = "x-media-types"

_FIELD = "file"
_NAMED = "|".join(Sequence)
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_HEADERS = {
    "X-Request-ID": {"description": "Id of this request.", "schema": {"type": "string"}},
    "X-Model-Name": {"description": "Model that answered.", "schema": {"type": "string"}},
    "X-Target": {"description": "What it outlines.", "schema": {"type": "string"}},
    "X-Model-SHA256": {"description": "Hash of its weights.", "schema": {"type": "string"}},
    "X-CLAHE": {"description": "Which slices it was shown: on, off or average.", "schema": {"type": "string"}},
    "X-Voxel-Spacing": {"description": "z y x in mm, if known.", "schema": {"type": "string"}},
}

#: The forms of an answer, for OpenAPI.
ANSWERS: dict[str, Any] = {
    "description": "Lesions, in the form that `Accept` prefers.",
    "content": dict.fromkeys((TIFF, PNG, GZIP, NIFTI, ZIP, DICOM), _BINARY),
    "headers": _HEADERS,
}


def _only_multipart(request: Request) -> None:
    """Refuse other bodies, which have no field `file`."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "multipart/form-data":
        raise ProblemError(415, f"send the image as multipart/form-data, in the field {_FIELD!r}")


async def _only_file(request: Request) -> None:
    """Refuse other fields instead of passing over them."""
    if others := sorted({*(await request.form())} - {_FIELD}):
        raise ProblemError(
            422, f"unknown field {others[0][:40]!r}; all but {_FIELD!r} belongs into the address (?model=)"
        )


def upload_of(types: str, description: str) -> Any:
    """A file in a form, of one of ``types``, separated by commas."""
    return File(description=description, json_schema_extra={TYPES: types})


UPLOAD = upload_of(
    UPLOAD_TYPES,
    "TIFF (one page or many), NIfTI, DICOM, NRRD, MetaImage, PNG, JPEG, or a zip of a patient's files. "
    "RGB is pre-contrast, FLAIR, post-contrast unless `sequences` says otherwise.",
)
Upload = Annotated[UploadFile, UPLOAD]
ONE_UPLOAD = [Depends(_only_multipart), Depends(_only_file)]

ModelName = Annotated[
    str | None,
    Query(description="A name that /models lists, or auto; the server's default unless given.", max_length=200),
]
Sequences = Annotated[
    str | None,
    Query(
        description=f"Which sequence each channel is, such as `post-contrast,flair`; there are: {', '.join(Sequence)}.",
        max_length=200,
        pattern=rf"^({_NAMED})(,({_NAMED}))*$",
    ),
]
TargetName = Annotated[
    Literal["flair-abnormality", "enhancing-lesion"] | None,
    Query(description="What to outline; what the sequences show best unless given, or what the named model outlines."),
]
Threshold = Annotated[
    float | None,
    Query(ge=0, le=1, description="Probability from which on a voxel is lesion; the model's own unless given."),
]
MinLesionVoxels = Annotated[
    int | None,
    Query(ge=0, le=1 << 40, description="Lesions of fewer voxels are dropped; the model's own unless given."),
]
ClaheChoice = Annotated[
    Clahe | None,
    Query(
        description="Show the network equalised slices (`on`), plain ones (`off`), or both and average its answers "
        "(`average`); what its card says unless given."
    ),
]
ShownView = Annotated[View, Query(description="What the answer shows; which forms it has, `Accept` chooses among.")]
Slice = Annotated[
    int | None,
    Query(ge=0, alias="slice", le=1 << 20, description="Slice of a PNG, from 0; needed if there are several."),
]


def chosen_form(request: Request, view: View) -> str:
    """The form of the answer; 406 if the client accepts none that can show ``view``."""
    offered = offers(view)
    form = preferred(request.headers.get("accept"), offered)
    if form is None:
        raise ProblemError(406, f"{view} is given as {', '.join(offered)}")
    return form


def chosen_sequences(text: str | None) -> tuple[Sequence, ...] | None:
    """The sequences that the client names; 409 if two channels have the same name."""
    try:
        return None if text is None else parse_sequences(text)
    except DataError as error:
        raise ProblemError(409, f"sequences: {error}") from None


async def chosen_model(
    services: Services, name: str | None, sequences: tuple[Sequence, ...], target: str | None = None
) -> LoadedModel:
    """The model ``name``, or what fits the sequences of a study and the target, loaded.

    409 if it does not outline the target, the study cannot show it, or no network for it is here.
    """
    targets = () if target is None else TargetChoice(target).targets
    try:
        return await to_thread.run_sync(services.model_registry.get, name, sequences, targets)
    except DataError as error:
        raise ProblemError(409, str(error)) from None


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """An upload, and how it is to be outlined."""

    services: Services
    file: UploadFile
    model: str | None
    target: str | None
    sequences: str | None
    threshold: float | None
    smallest: int | None
    clahe: str | None

    async def start(
        self, slot: QueueSlot, check: Callable[[Decoded], None] = lambda _: None
    ) -> tuple[Decoded, Work, Future[Segmentation]]:
        """Decode the upload and put its study into the queue; ``check`` may refuse it before."""
        engine = self.services.engine
        decoded = await decoded_upload(self.services, self.file, self.sequences)
        check(decoded)
        engine.hold(slot, decoded.study)
        model = await chosen_model(self.services, self.model, decoded.study.sequences, self.target)
        usual = model.checkpoint.card.postprocessing
        postprocessing = usual.adjusted(threshold=self.threshold, min_lesion_voxels=self.smallest)
        return decoded, *engine.start(decoded.study, model.with_clahe(self.clahe), postprocessing)


def _prediction_request(
    services: SharedServices,
    file: Upload,
    model: ModelName = None,
    target: TargetName = None,
    sequences: Sequences = None,
    threshold: Threshold = None,
    smallest: MinLesionVoxels = None,
    clahe: ClaheChoice = None,
) -> PredictionRequest:
    return PredictionRequest(services, file, model, target, sequences, threshold, smallest, clahe)


Prediction = Annotated[PredictionRequest, Depends(_prediction_request)]


async def decoded_upload(services: Services, file: UploadFile, sequences: str | None = None) -> Decoded:
    """The study in ``file``, its channels named as ``sequences`` says."""
    named = chosen_sequences(sequences)
    with services.metrics.decode_seconds.time():
        return await services.decoder.decode(file.file, named)
