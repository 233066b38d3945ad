"""What is known of a retraining, as far as it has told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from metseg.events import EpochFinished, Event, Notice, Progress, StepFinished

if TYPE_CHECKING:
    from metseg.retraining import PromotionCheck, RetrainingConfig


class Phase(StrEnum):
    """Where it stands."""

    NOTHING = "nothing was retrained"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass
class RunState:
    """What is known of a retraining.

    Attributes
    ----------
    config : RetrainingConfig or None
    losses : list of (float, float)
        Epochs done, as a fraction, and the loss of the step.
    promotion : PromotionCheck or None
    """

    config: RetrainingConfig | None = None
    phase: Phase = Phase.NOTHING
    progress: Progress = Progress(0, 0)
    losses: list[tuple[float, float]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problem: str = ""
    promotion: PromotionCheck | None = None

    @property
    def running(self) -> bool:
        """Whether a process works."""
        return self.phase in (Phase.RUNNING, Phase.STOPPING)

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on with."""
        return self.config is not None and self.phase in (Phase.STOPPED, Phase.FAILED)

    @property
    def epochs(self) -> int:
        """How many were asked for."""
        return 1 if self.config is None else self.config.epochs

    def hear(self, event: Event[Any]) -> None:
        """Take in what the process tells."""
        match event:
            case StepFinished(done, total, _, loss):
                self.progress = event
                self.losses.append((self.epochs * done / max(total, 1), loss))
            case Progress():
                self.progress = event
            case EpochFinished(_, row):
                self.rows = [known for known in self.rows if known["epoch"] < row["epoch"]] + [row]
            case Notice(text):
                self.notices.append(str(text))
