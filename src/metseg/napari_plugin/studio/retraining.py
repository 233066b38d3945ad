"""Retrains networks on the project's approved cases, in a process of its own. Owns no widget."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from metseg.curation import DefaultModel, Project, Status
from metseg.curation.names import safe_name
from metseg.events import EpochFinished, Event, Notice, Progress, StepFinished
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.background import Latest
from metseg.napari_plugin.native_libraries import keep_llvm_apart
from metseg.napari_plugin.state import Follower, ModelChoice
from metseg.napari_plugin.studio.training_process import End, Ending, TrainingProcess

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio
    from metseg.retraining import Gate, RetrainingConfig

#: Folder of a project in which its retrainings are.
RUNS = "models"

_STAMP = re.compile(r"-\d{8}-\d{6}$")
_LONGEST = 60

#: Milliseconds between two looks of the panel at what has been told.
_CALM = 250


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
    phase : Phase
    progress : Progress
    losses : list of (float, float)
        Epochs done, as a fraction, and the loss of the step.
    rows : list of dict
        The log, an epoch each.
    notices : list of str
    problem : str
        Why it failed.
    gate : Gate or None
    """

    config: RetrainingConfig | None = None
    phase: Phase = Phase.NOTHING
    progress: Progress = Progress(0, 0)
    losses: list[tuple[float, float]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problem: str = ""
    gate: Gate | None = None

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


class Retraining(Follower):
    """What the panel shows, and the process behind it.

    Parameters
    ----------
    studio : Studio

    Attributes
    ----------
    parent : str
        Key of the network to start from.
    data : tuple of Path
        Folders of patients that are shown again.
    epochs : int
    run : RunState
        The newest of the project.
    default : DefaultModel or None
        Of the project.
    changed : Signal
        One of these is another, at most four times a second while it trains.
    """

    changed = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self.process = TrainingProcess()
        self.process.told.connect(self._on_event)
        self.process.ended.connect(self._on_ended)
        self.parent, self.epochs = "", 5
        self.data: tuple[Path, ...] = ()
        self._looking = Latest(self._on_found, self._on_not_found)
        self._reading = Latest(self._on_read, studio.tell_error)
        self._adopting = Latest(self._on_adopted, studio.tell_error)
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(_CALM)
        self._soon.timeout.connect(self.changed.emit)
        self.run = RunState()
        self.default: DefaultModel | None = None
        self.follow(studio.state.events, ("project",), self._on_project)
        self.follow(studio.state.events, ("models",), self._on_models)
        studio.add_closing(self.close)
        self._on_project(studio.state.project)
        self._on_models()

    def close(self) -> None:
        """Stop listening; a process ends after the step in progress."""
        self.unfollow()
        self._soon.stop()
        self._looking.forget()
        self._reading.forget()
        self._adopting.forget()
        self.process.leave()

    # What may be done

    @property
    def approved(self) -> int:
        """Cases to train on."""
        return sum(case.status is Status.APPROVED and not case.problem for case in self._studio.state.cases)

    @property
    def obstacle(self) -> str:
        """Why nothing can be started now, in words; empty if it can."""
        state = self._studio.state
        if self.run.running:
            return "A training runs already."
        if state.project is None:
            return "Open a project first."
        if state.searching or self._looking.busy or self._reading.busy:
            return "Still looking for networks."
        if not self.approved:
            return "Approve cases first: only approved ones are trained on."
        return "" if self.choice is not None else "Choose a network to start from."

    @property
    def adoption_obstacle(self) -> str:
        """Why the new network cannot become the default, in words; empty if it can."""
        if self.run.gate is None:
            return "Only a network that was compared with its parent can become the default."
        if self.is_default:
            return "It is the project's default already."
        return "" if self.run.gate.passed else f"The gate was not passed: {self.run.gate.reason}."

    @property
    def is_default(self) -> bool:
        """Whether the new network is what the project asks first."""
        return (
            self.run.gate is not None and self.default is not None and self.default.sha256 == self.run.gate.child.sha256
        )

    @property
    def choice(self) -> ModelChoice | None:
        """The network to start from."""
        return next((model for model in self.parents if model.key == self.parent), None)

    @property
    def parents(self) -> list[ModelChoice]:
        """Networks that can be trained further: single ones."""
        return [model for model in self._studio.state.models if model.card is not None and not averages(model)]

    # What is done

    def set_parent(self, key: str) -> None:
        """Start from another network."""
        self.parent = key
        self.changed.emit()

    def open_parent(self, path: str) -> None:
        """Read a network from a file, in a thread, and start from it."""
        self.parent = path
        self._reading.submit(pipeline.model_from_file, path)

    def add_data(self, folder: Path) -> None:
        """Show the patients in ``folder`` again."""
        if folder not in self.data:
            self.data = (*self.data, folder)
            self.changed.emit()

    def remove_data(self, folder: Path) -> None:
        """Do not show the patients in ``folder`` again."""
        self.data = tuple(known for known in self.data if known != folder)
        self.changed.emit()

    def start(self) -> None:
        """Begin a retraining in a folder of its own below the project."""
        project, choice = self._studio.state.project, self.choice
        if self.obstacle or project is None or choice is None:
            self._studio.tell(self.obstacle)
            return
        if not self._studio.flush():
            return
        from metseg.retraining import RetrainingConfig

        out = project.path / RUNS / _run_name(choice)
        config = RetrainingConfig(project=project.path, parent=choice.key, data=self.data, out=out, epochs=self.epochs)
        self.run = RunState()
        self._begin(config, resume=False)

    def stop(self) -> None:
        """End the process after the step in progress."""
        if self.run.phase is Phase.RUNNING:
            self.run.phase = Phase.STOPPING
            self.process.stop()
            self.changed.emit()

    def resume(self) -> None:
        """Go on with the retraining that was stopped."""
        if self.run.config is not None and self.run.resumable:
            self._begin(self.run.config, resume=True)

    def adopt(self) -> None:
        """Make the new network the project's default, in a thread."""
        project = self._studio.state.project
        if not self.adoption_obstacle and project is not None and self.run.config is not None:
            self._adopting.submit(_adopted, project, self.run.config.out)

    def _begin(self, config: RetrainingConfig, *, resume: bool) -> None:
        from metseg.retraining import command_arguments

        self.run.config, self.run.phase, self.run.problem = config, Phase.RUNNING, ""
        self.run.progress = Progress(0, 0, "starting")
        self.run.notices.clear()
        self.process.start(command_arguments(config, resume=resume))
        self.changed.emit()

    # What is heard

    def _on_event(self, event: Event[Any]) -> None:
        self.run.hear(event)
        if not self._soon.isActive():
            self._soon.start()

    def _on_ended(self, ending: Ending) -> None:
        self._soon.stop()
        phases = {End.FINISHED: Phase.FINISHED, End.STOPPED: Phase.STOPPED, End.FAILED: Phase.FAILED}
        self.run.phase = phases[ending.end]
        self.run.problem, self.run.gate = ending.problem, ending.gate
        if ending.gate is not None and self.run.config is not None:
            self._reading.submit(pipeline.model_from_file, str(self.run.config.out / "model.safetensors"))
        self.changed.emit()

    def _on_project(self, project: Project | None) -> None:
        if self.run.running:
            self.process.leave()
            self.process = TrainingProcess()
            self.process.told.connect(self._on_event)
            self.process.ended.connect(self._on_ended)
        self.run = RunState()
        self.default = None
        if project is not None:
            self._looking.submit(_look, project)
        self.changed.emit()

    def _on_models(self) -> None:
        if self.choice is None and self.parents:
            self.parent = self.parents[0].key
        self.changed.emit()

    def _on_found(self, found: tuple[RunState | None, DefaultModel | None]) -> None:
        last, self.default = found
        if last is not None and not self.run.running:
            self.run = last
            if last.config is not None:
                self.data, self.epochs = last.config.data, last.config.epochs
        self.changed.emit()

    def _on_not_found(self, error: Exception) -> None:
        self._studio.tell_error(error)
        self.changed.emit()

    def _on_read(self, choice: ModelChoice) -> None:
        """Offer a network beside the others; the one that is chosen for predictions stays chosen."""
        others = (known for known in self._studio.state.models if known.key != choice.key)
        self._studio.state.models = (*others, choice)

    def _on_adopted(self, default: DefaultModel) -> None:
        self.default = default
        self._studio.tell(f"{default.name} is asked first in this project from now on.")
        self.changed.emit()


def averages(model: ModelChoice) -> bool:
    """Whether a network is an ensemble, which cannot be trained further."""
    return model.card is not None and hasattr(model.card.network, "members")


def _run_name(choice: ModelChoice) -> str:
    """The parent's name and the time; of a parent that was retrained itself, without that time."""
    name = choice.card.name if choice.card is not None else choice.title
    stamp = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return f"{safe_name(_STAMP.sub('', name), _LONGEST) or 'model'}-{stamp}"


def _look(project: Project) -> tuple[RunState | None, DefaultModel | None]:
    """The project's newest retraining, and its default network."""
    keep_llvm_apart()
    from metseg.retraining import read_config, read_gate
    from metseg.training.curves import read_log

    folders = sorted((project.path / RUNS).glob("*/retraining.json"), key=lambda file: file.stat().st_mtime)
    for folder in reversed([file.parent for file in folders]):
        config = read_config(folder)
        if config is not None:
            gate = read_gate(folder) if (folder / "gate.json").exists() else None
            config = config.model_copy(update={"out": folder, "project": project.path.resolve()})
            phase = Phase.STOPPED if gate is None else Phase.FINISHED
            return RunState(config, phase, rows=read_log(folder), gate=gate), project.default_model
    return None, project.default_model


def _adopted(project: Project, run: Path) -> DefaultModel:
    from metseg.retraining import adopt

    return adopt(project, run)
