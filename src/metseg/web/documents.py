"""What the server says, checked as it comes in. Slices are counted from 0."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Card(_Document):
    """A model that the server offers.

    Attributes
    ----------
    name, architecture, created, notes : str
        From its model card.
    usable, default, loaded : bool
        Whether it can be asked for, is used unless another is named, and answers at once.
    sequences : tuple of str
        MR sequences that it looks at.
    target : str
        What it outlines; empty if the server does not say.
    threshold, smallest : float, int or None
        From which probability on a voxel is lesion; voxels of the smallest lesion that is kept.
    clahe : str or None
        Which slices its network is shown unless something else is asked for: on, off or average.
    scores : dict
        Held-out scores by setting.
    """

    name: str
    usable: bool
    default: bool
    loaded: bool
    architecture: str
    sequences: tuple[str, ...]
    threshold: float | None
    smallest: int | None
    clahe: str | None
    created: str
    notes: str
    scores: dict[str, dict[str, Any]]
    target: str = ""


class Cards(_Document):
    """All models of a server, and whether it chooses one by the image's sequences unless one is named."""

    models: tuple[Card, ...]
    automatic: bool = False


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(_Document):
    """A study on its way; ``done`` of ``total`` slices are ready, the rest takes ``seconds_left`` if that is known."""

    id: str
    state: State
    done: int
    total: int
    seconds_left: float | None
    problem: str | None


class Lesion(_Document):
    """One lesion, as measured by the server; what is not known is ``None``."""

    lesion: int
    first_slice: int
    last_slice: int
    voxels: int
    volume_mm3: float | None
    diameter_px: float
    diameter_mm: float | None
    perpendicular_mm: float | None
    measurable: bool | None
    side: str | None
    mean_probability: float | None
    centroid: tuple[float, float, float]
    touches_border: bool


class UsedModel(_Document):
    """The network that answered, the hash of its weights, and what it outlines."""

    name: str
    weights_sha256: str
    target: str = ""


class ImageFacts(_Document):
    """What was sent, as the server understood it: shape and spacing are z, y, x."""

    format: str
    shape: tuple[int, int, int]
    sequences: tuple[str, ...]
    spacing: tuple[float, float, float] | None


class Postprocessing(_Document):
    """How probabilities became a mask."""

    threshold: float
    smallest: int


class Answer(_Document):
    """Lesions that a network outlined."""

    request_id: str
    model: UsedModel
    image: ImageFacts
    clahe: str
    postprocessing: Postprocessing
    lesions: tuple[Lesion, ...]
    sum_of_target_diameters_mm: float | None
    notices: tuple[str, ...]
