"""What the server answers as JSON, and its clients read. Slices are counted from 0."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from metseg.lesions import PostprocessingConfig, Side
from metseg.preprocessing import Clahe, PreprocessingConfig


class UsedModel(BaseModel):
    """The network that answered."""

    name: str
    weights_sha256: str = Field(description="Hash of the weights' file.")
    target: str = Field(description="What it outlines: `FLAIR abnormality` or `enhancing lesion`.")
    device: str = Field("", description="Where it ran.")
    backend: str = Field("", description="What ran it: name, version and precision.")
    ensemble: bool = Field(False, description="Whether `view=disagreement` says how far its members are apart.")


class ImageDocument(BaseModel):
    """What was sent, as it was understood."""

    format: str = Field(description="By its first bytes.")
    shape: tuple[int, int, int] = Field(description="Slices, rows, columns.")
    sequences: list[str] = Field(description="Which MR sequence each channel is.")
    spacing: tuple[float, float, float] | None = Field(description="Along z, y, x in mm; null if it is not known.")


class RunsDocument(BaseModel):
    """A mask as runs."""

    runs: str = Field(description="`start+length` of each run in the flat z-y-x volume, counted from 0; may be empty.")
    voxels: int = Field(description="Voxels inside lesions.")


class LesionDocument(BaseModel):
    """One lesion. Slices and centroids are counted from 0; what is not known is null."""

    lesion: int
    first_slice: int
    last_slice: int
    voxels: int
    volume_mm3: float | None
    diameter_px: float
    diameter_mm: float | None = Field(description="Longest within a slice.")
    perpendicular_mm: float | None = Field(description="Longest at right angles to it, in the same slice.")
    diameter_slice: int = Field(description="The slice in which they are measured.")
    slice_spacing_mm: float | None = Field(description="Distance of slices, on which all measures depend.")
    measurable: bool | None = Field(description="Whether it has the size of a measurable lesion by RANO-BM.")
    side: Side | None = Field(description="Of the patient; `midline` within 10 mm of the head's middle.")
    mean_probability: float | None
    centroid: tuple[float, float, float] = Field(description="z, y, x in voxels.")
    touches_border: bool


class MaskDocument(BaseModel):
    """Lesions that a network outlined. For research; every outline must be checked by a person."""

    request_id: str
    metseg: str = Field("", description="Version of the server's software.")
    model: UsedModel
    image: ImageDocument
    clahe: Clahe = Field(description="Which slices the network was shown.")
    preprocessing: PreprocessingConfig
    postprocessing: PostprocessingConfig
    mask: RunsDocument
    lesions: list[LesionDocument]
    sum_of_target_diameters_mm: float | None = Field(
        description="Of the largest five lesions that are measurable by RANO-BM; null if the spacing is not known."
    )
    brain: str | None = Field(
        None, description="How the brain was found, by networks that look at nothing else: stripped, extracted or head."
    )
    notices: list[str] = Field(description="What must be said of the image or the way to the mask.")


class ModelDocument(BaseModel):
    """A model that can be asked for."""

    name: str
    usable: bool = Field(description="Whether its file is in order.")
    default: bool = Field(description="Whether it is used unless another is named.")
    loaded: bool = Field(description="Whether it answers without being loaded first.")
    architecture: str = Field(description="Name in the literature; empty if it is not usable.")
    target: str = Field(description="What it outlines; empty if it is not usable.")
    sequences: list[str] = Field(description="MR sequences that it looks at.")
    threshold: float | None = Field(description="Its own threshold.")
    smallest: int | None = Field(description="Its own smallest lesion, voxels.")
    clahe: Clahe | None = Field(description="Which slices it is shown unless something else is asked for.")
    created: str = Field(description="Date of the weights.")
    notes: str = Field(description="What a user must know.")
    scores: dict[str, dict[str, Any]] = Field(description="Held-out scores by setting, as in its model card.")
    weights_sha256: str = Field("", description="Hash of the weights' file; empty if it is not usable.")
    card: dict[str, Any] | None = Field(
        None, description="Its model card without the record of its training, which names patients; null if not usable."
    )


class ModelList(BaseModel):
    """The models of this server."""

    automatic: bool = Field(description="Whether the model is chosen by the image's sequences unless one is named.")
    device: str = Field("", description="Where they run.")
    metseg: str = Field("", description="Version of the server's software.")
    models: list[ModelDocument]


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NoticeDocument(BaseModel):
    """Something that a user must be told of the way to a mask."""

    text: str
    warning: bool = Field(description="Whether the mask may be worthless for it.")


class JobDocument(BaseModel):
    """A study on its way."""

    id: str
    state: JobState
    done: int = Field(description="Slices that are ready.")
    total: int = Field(description="Slices of the study.")
    seconds_left: float | None = Field(description="How long a running job still takes, as soon as it can be said.")
    problem: str | None = Field(description="Reason it failed.")
    expires_in: float | None = Field(description="Seconds until a finished job is forgotten.")
    notices: list[NoticeDocument] = Field([], description="What must be said so far of the way to the mask.")
