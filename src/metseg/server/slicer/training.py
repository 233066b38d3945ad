"""``metseg retrain`` as a process: one at a time, followed line by line, stopped when somebody asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from metseg.events import EpochFinished, Finished, Notice, Progress, from_json
from metseg.server.logs import log
from metseg.server.problems import ProblemError
from metseg.server.slicer.models import Offer

_LINES = 20
_PATIENCE = 30.0
#: Secrets and settings of the server that a training has no use for.
_SERVERS_OWN = ("METSEG_TOKEN", "METSEG_HOST", "METSEG_PORT", "METSEG_PROJECT", "METSEG_MODEL", "METSEG_DEVICE")


class TaskState(StrEnum):
    """Where a training is, in MONAI Label's words."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    STOPPED = "STOPPED"
    ERROR = "ERROR"


class TrainingOptions(BaseModel):
    """What can be chosen."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    epochs: Annotated[int, Field(ge=1, le=1000)] = 5
    learning_rate: Annotated[float, Field(gt=0, le=0.1)] = 3e-4
    replay: Annotated[float, Field(ge=0, le=0.95)] = 0.5
    held_out: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    adopt: bool = False


@dataclass
class Training:
    """One training, running or over.

    Attributes
    ----------
    lines : deque of str
        The last that was said; never empty.
    statistics : dict
        ``epoch``, ``total_epochs``, ``best_metric`` (Dice on held-out patients), ``total_time`` (seconds, once it is
        over), in MONAI Label's words.
    """

    model: str
    options: TrainingOptions
    folder: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: TaskState = TaskState.RUNNING
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    lines: deque[str] = field(default_factory=lambda: deque(["the training begins"], _LINES))
    statistics: dict[str, Any] = field(default_factory=dict)

    def record(self, line: str) -> None:
        """Take in one line of what the process says."""
        try:
            event = from_json(line, dict)
        except ValueError:
            self.lines.append(line)
            return
        match event:
            case EpochFinished(text, row):
                self.lines.append(text)
                self.statistics["epoch"] = self.statistics.get("epoch", 0) + 1
                best = max(self.statistics.get("best_metric", 0.0), row.get("mean_dice", 0.0))
                self.statistics["best_metric"] = best
            case Notice(text):
                self.lines.append(text)
            case Finished(promotion):
                self.lines.append(f"the promotion check: {promotion.get('result')}: {promotion.get('reason')}")
            case Progress(_, _, what) if what and what != self.lines[-1]:
                self.lines.append(what)

    def end(self, code: int) -> None:
        """The process has ended with ``code``."""
        self.ended = datetime.now(UTC)
        self.statistics["total_time"] = round((self.ended - self.begun).total_seconds(), 1)
        if self.state is TaskState.RUNNING:
            self.state = TaskState.ERROR if code else TaskState.DONE


class Trainings:
    """The trainings of one server, of which the last is remembered.

    Parameters
    ----------
    project : Path
        Its folder.
    data : Path or None
        Patients that are shown again beside the corrected ones.
    device : str
        Where networks run.
    """

    def __init__(self, project: Path, data: Path | None, device: str) -> None:
        self._project = project
        self._data = data
        self._device = device
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.last: Training | None = None

    @property
    def running(self) -> Training | None:
        """The training that runs now."""
        return self.last if self._process is not None and self._process.poll() is None else None

    def start(self, offer: Offer, options: TrainingOptions) -> Training:
        """Train ``offer`` further on the approved cases; 409 if a training runs, 500 if it cannot be started."""
        from metseg.retraining import new_run_folder

        with self._lock:
            if self.running is not None:
                raise ProblemError(409, "a training runs already; stop it first, or wait for its end")
            out = new_run_folder(self._project, offer.name)
            training = Training(offer.name, options, out.relative_to(self._project).as_posix())
            training.statistics.update(epoch=0, total_epochs=options.epochs, best_metric=0.0)
            self._process = self._launch(offer, training)
            self.last = training
            self._reader = threading.Thread(target=self._follow, args=(self._process, training), daemon=True)
            self._reader.start()
            log("training started", id=training.id)
            return training

    def stop(self) -> Training:
        """End the training after the step that it is in; it can be gone on with on the command line.

        404 if none runs.
        """
        with self._lock:
            training, process = self.running, self._process
            if training is None or process is None:
                raise ProblemError(404, "no training runs")
            training.state = TaskState.STOPPED
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            if self._reader is not None:
                self._reader.join(_PATIENCE)
            log("training stopped", id=training.id)
            return training

    def close(self) -> None:
        """The server ends: so does its training."""
        if self.running is not None:
            self.stop()

    def _launch(self, offer: Offer, training: Training) -> subprocess.Popen[str]:
        from metseg.retraining import RetrainingConfig, command_arguments

        options = training.options
        config = RetrainingConfig(
            project=self._project,
            parent=str(offer.file),
            data=() if self._data is None else (self._data,),
            out=self._project / training.folder,
            **options.model_dump(exclude={"adopt"}),
        )
        command = [sys.executable, "-m", "metseg.cli", *command_arguments(config), "--device", self._device]
        command += ["--promote"] if options.adopt else []
        environment = {name: value for name, value in os.environ.items() if name not in _SERVERS_OWN}
        try:
            config.out.parent.mkdir(exist_ok=True)
            return subprocess.Popen(  # noqa: S603  (this program, without a shell)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
            )
        except OSError as error:
            log("a training was not started", error=error)
            raise ProblemError(500, f"the training cannot be started: {error.strerror}") from error

    def _follow(self, process: subprocess.Popen[str], training: Training) -> None:
        """Listen until the process ends."""
        if process.stdout is not None:
            with process.stdout:
                for line in process.stdout:
                    if text := line.strip():
                        training.record(text)
        training.end(process.wait())
