"""Training on what was corrected."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, Field

from metseg.curation import Status
from metseg.server.problems import ProblemError
from metseg.server.slicer.context import SharedContext
from metseg.server.slicer.forms import ClientParameters, refused
from metseg.server.slicer.training import TaskState, Training, TrainingOptions

router = APIRouter(prefix="/train", tags=["slicer"])

_TIME = "%Y-%m-%d %H:%M:%S"


class Task(BaseModel):
    """A training, in MONAI Label's words."""

    id: str
    status: TaskState
    start_ts: str = Field(description="UTC.")
    end_ts: str | None = Field(None, description="UTC; missing while it runs.")
    request: dict[str, Any] = Field(description="The model, what was chosen, and its folder in the project.")
    details: list[str] = Field(description="The last lines that it said.", min_length=1)


class TrainingRequest(TrainingOptions, ClientParameters):
    """What is chosen, and who asks."""


@router.get(
    "/",
    response_model_exclude_none=True,
    responses=refused(401, 403, 404, 422, 500, status_404="No training runs, or none has run since the server began."),
)
def training_status(
    context: SharedContext,
    check_if_running: Annotated[bool, Query(description="404 also if the last one is over.")] = False,
) -> Task:
    """The training that runs, or ran last."""
    trainings = context.trainings
    training = trainings.running if check_if_running else trainings.last
    if training is None:
        raise ProblemError(
            404, "no training runs" if check_if_running else "nothing was trained since the server began"
        )
    return _task(training)


@router.post(
    "/{model}",
    response_model_exclude_none=True,
    responses=refused(
        400, 401, 403, 404, 408, 409, 413, 422, 500, status_409="A training runs already, or no image is approved."
    ),
)
def start_training(
    context: SharedContext,
    model: Annotated[str, Path(max_length=200, description="A trainer that /info/ lists.")],
    wanted: Annotated[TrainingRequest | None, Body()] = None,
) -> Task:
    """Train a model further on the approved images, as `metseg retrain` does; one training at a time."""
    wanted = wanted or TrainingRequest()
    offer = context.models.offer(model)
    if not offer.trainable:
        raise ProblemError(422, f"{model} averages several networks; only a single one can be trained further")
    if not any(case.status is Status.APPROVED for case in context.cases.listed()):
        raise ProblemError(
            409, "no image is approved yet, and only approved ones are trained on: metseg project approve PROJECT CASE"
        )
    return _task(context.trainings.start(offer, TrainingOptions.model_validate(wanted.model_dump())))


@router.delete(
    "/", response_model_exclude_none=True, responses=refused(401, 403, 404, 500, status_404="No training runs.")
)
def stop_training(context: SharedContext) -> Task:
    """End the training after the step that it is in."""
    return _task(context.trainings.stop())


def _task(training: Training) -> Task:
    return Task(
        id=training.id,
        status=training.state,
        start_ts=training.begun.strftime(_TIME),
        end_ts=None if training.ended is None else training.ended.strftime(_TIME),
        request={"model": training.model, "folder": training.folder, **training.options.model_dump()},
        details=list(training.lines),
    )
