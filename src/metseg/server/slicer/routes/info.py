"""What there is: models, labels, strategies, trainers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from metseg import DEFAULT_MODEL, __version__
from metseg.curation import CaseSummary, Status
from metseg.server.slicer.context import SharedContext
from metseg.server.slicer.forms import refused
from metseg.server.slicer.models import Offer
from metseg.server.slicer.samples import Strategy
from metseg.server.slicer.training import TrainingOptions

router = APIRouter(tags=["slicer"])

#: Labels that a case can have: ``original``, what a person goes on with; ``final``, what a person has sent.
ORIGINAL, FINAL = "original", "final"


class Described(BaseModel):
    """Something that can be chosen."""

    description: str
    config: dict[str, Any] = Field(default_factory=dict, description="What can be changed, with its usual values.")


class DescribedModel(Described):
    """A model."""

    type: str = "segmentation"
    labels: dict[str, int] = Field(description="Value of each segment in its mask.")
    dimension: int = 3


class Store(BaseModel):
    """How much is done."""

    total: int = Field(description="Images.")
    completed: int = Field(description="Images with a final label: corrected or approved.")
    label_tags: dict[str, int] = Field(description="Labels by tag.")


class Info(BaseModel):
    """What a client needs to know first. There is no `config`: Slicer's extension takes that for an old server."""

    name: str = "metseg"
    description: str = "Lesions in brain MRI. For research; every outline must be checked by a person."
    version: str = __version__
    labels: list[str] = Field(description="Segments: what the models outline.")
    models: dict[str, DescribedModel]
    trainers: dict[str, Described]
    strategies: dict[str, Described]
    scoring: dict[str, Described] = {}
    train_stats: dict[str, dict[str, Any]] = Field(description="Of the last training.")
    datastore: Store


@router.get("/info/", responses=refused(401, 403, 500))
def info(context: SharedContext) -> Info:
    """Models, labels, strategies and trainers, and how much is done."""
    offers, segments = context.models.offers(), context.models.segments()
    last = context.trainings.last
    return Info(
        labels=list(segments),
        models=(_automatic(segments) if context.models.automatic else {})
        | {offer.name: _model(offer) for offer in offers},
        trainers={
            offer.name: Described(
                description=f"Train {offer.name} further on the approved images of the project",
                config=TrainingOptions().model_dump(),
            )
            for offer in offers
            if offer.trainable
        },
        strategies={strategy.value: Described(description=strategy.description) for strategy in Strategy},
        train_stats={} if last is None else {last.model: dict(last.statistics)},
        datastore=stock(context.cases.listed()),
    )


def stock(cases: tuple[CaseSummary, ...]) -> Store:
    """How much is done."""
    final = sum(has_final(case) for case in cases)
    original = sum(has_original(case) for case in cases)
    tags = {tag: count for tag, count in ((ORIGINAL, original), (FINAL, final)) if count}
    return Store(total=len(cases), completed=final, label_tags=tags)


def has_final(case: CaseSummary) -> bool:
    """Whether a person has corrected or approved the case."""
    return case.status in (Status.CORRECTED, Status.APPROVED)


def has_original(case: CaseSummary) -> bool:
    """Whether there is something to go on with: a prediction, or what was drawn."""
    return case.status is not Status.TODO or case.voxels > 0


def _automatic(segments: Iterable[str]) -> dict[str, DescribedModel]:
    description = "the network that fits the sequences of the image, by what it outlines"
    return {DEFAULT_MODEL: DescribedModel(description=description, labels=dict.fromkeys(segments, 1))}


def _model(offer: Offer) -> DescribedModel:
    card = offer.card
    sequences = ", ".join(card.preprocessing.sequences)
    return DescribedModel(
        labels={card.target: 1},
        description=f"{card.network.title}; outlines: {card.target}; sequences: {sequences}",
        config={
            "threshold": card.postprocessing.threshold,
            "smallest": card.postprocessing.min_lesion_voxels,
            "clahe": card.clahe.value,
        },
    )
