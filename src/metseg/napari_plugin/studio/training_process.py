"""``metseg retrain`` in a process of its own: started, listened to, stopped, and never left behind."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QProcess, QProcessEnvironment, QTimer

from metseg.events import EpochFinished, Event, Finished, Notice, Progress, StepFinished, from_json
from metseg.napari_plugin.background import delayed

if TYPE_CHECKING:
    from metseg.retraining import PromotionCheck, RetrainingConfig

#: Milliseconds for the step in progress before the process is killed: while the window is open, and when it goes.
STOP_TIMEOUT, EXIT_TIMEOUT = 90_000, 15_000

#: Milliseconds of listening at a stretch; then the window gets its turn.
_READING = 8
_STOPPED = (130, 141, 143)


class Phase(StrEnum):
    """Where it stands."""

    NOTHING = "nothing was retrained"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass
class TrainingState:
    """What is known of a retraining; ``losses`` are of steps, after epochs as a fraction."""

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
        """How many it was started with."""
        return 1 if self.config is None else self.config.epochs

    def update(self, event: Event[PromotionCheck]) -> None:
        """Take in an event of the process."""
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
            case Finished(promotion):
                self.promotion = promotion


class TrainingProcess:
    """One ``metseg retrain --json-events`` after the other.

    A window that goes takes the process with it, after the step in progress: what was trained is on the disk, and the
    same retraining can be resumed. If the window is killed, the process finds nobody listening, and ends likewise.

    Attributes
    ----------
    state : TrainingState
    changed : Signal
        The state is another: after each event, and at the end.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.state = TrainingState()
        self._process: QProcess | None = None
        self._stop_requested = self._killed = False
        self._kill_timer = delayed(self.kill)

    @property
    def running(self) -> bool:
        """Whether a process works, also while it is stopping."""
        return self._process is not None

    @property
    def id(self) -> int:
        """The system's number of the process; 0 if there is none."""
        return 0 if self._process is None else int(self._process.processId())

    def start(self, arguments: Sequence[str]) -> None:
        """Run ``metseg`` with these arguments.

        Raises
        ------
        RuntimeError
            If one runs already.
        """
        if self._process is not None:
            raise RuntimeError("a training runs already")
        state, self._stop_requested, self._killed = self.state, False, False
        state.phase, state.problem, state.promotion = Phase.RUNNING, "", None
        state.progress = Progress(0, 0, "starting")
        state.notices.clear()
        process = QProcess()
        process.setProcessEnvironment(_environment())
        process.readyReadStandardOutput.connect(self._read_lines)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        _alive.add(self)
        _wait_at_exit()
        program, *rest = command(arguments)
        process.start(program, rest)

    def stop(self, timeout: int = STOP_TIMEOUT) -> None:
        """Have the process end after the step in progress; kill it after ``timeout`` milliseconds."""
        if self._process is not None and not self._stop_requested:
            self.state.phase = Phase.STOPPING
            self.request_stop()
            self._kill_timer.start(timeout)

    def leave(self) -> None:
        """Stop, and report nothing any more; the process is waited for when the program ends, and then killed."""
        if self._process is None:
            return
        self.changed.disconnect()
        self.stop()
        self._kill_timer.start(EXIT_TIMEOUT)

    def request_stop(self) -> None:
        """Have the process end after the step in progress."""
        if self._process is not None:
            self._stop_requested = True
            self._process.terminate()

    def wait(self, milliseconds: int) -> bool:
        """Wait for the process to end; whether it has."""
        return self._process is None or self._process.waitForFinished(milliseconds)

    def kill(self) -> None:
        """End the process at once; what it did since the last save is lost."""
        if self._process is not None:
            self._killed = True
            self._process.kill()

    def _read_lines(self) -> None:
        """Take in what the process printed, for a moment."""
        process, until = self._process, time.monotonic() + _READING / 1000
        while process is not None and process is self._process and process.canReadLine():
            self._handle_line(bytes(process.readLine().data()))
            if time.monotonic() > until:
                QTimer.singleShot(0, self._read_lines)
                return

    def _handle_line(self, line: bytes) -> None:
        from metseg.retraining import PromotionCheck

        try:
            self.state.update(from_json(line, PromotionCheck.model_validate))
        except ValueError:  # something that a library printed
            return
        self.changed.emit()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._end(Phase.FAILED, f"{sys.executable} cannot be started: {self._process.errorString()}")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        for line in bytes(process.readAllStandardOutput().data()).splitlines():
            self._handle_line(line)
        error = _error_message(bytes(process.readAllStandardError().data()).decode("utf-8", "replace"))
        if self.state.promotion is not None and code == 0:
            self._end(Phase.FINISHED)
        elif self._killed:
            self._end(Phase.STOPPED, "It did not end by itself; what it did since the last save is lost.")
        elif self._stop_requested or (status == QProcess.ExitStatus.NormalExit and code in _STOPPED):
            self._end(Phase.STOPPED)
        else:
            self._end(Phase.FAILED, error or "It was ended from outside.")

    def _end(self, phase: Phase, problem: str = "") -> None:
        process, self._process = self._process, None
        self._kill_timer.stop()
        if process is not None:
            process.deleteLater()
        _alive.discard(self)
        self.state.phase, self.state.problem = phase, problem
        if phase is not Phase.FINISHED:
            self.state.promotion = None
        self.changed.emit()


#: Holds on to processes, also when their window is gone: Qt kills what is garbage.
_alive: set[TrainingProcess] = set()


@functools.cache
def _wait_at_exit() -> None:
    atexit.register(_end_all)


def _end_all() -> None:
    """The program ends: whatever trains ends after its step, or else at once."""
    ending = list(_alive)
    for process in ending:
        process.request_stop()
    for process in ending:
        if not process.wait(EXIT_TIMEOUT):
            process.kill()
            process.wait(EXIT_TIMEOUT)


def command(arguments: Sequence[str]) -> list[str]:
    """``metseg`` as this program's own Python runs it."""
    return [sys.executable, "-m", "metseg.cli", *arguments]


def _environment() -> QProcessEnvironment:
    """This program's own, with one core left to the window."""
    environment = QProcessEnvironment.systemEnvironment()
    if not environment.contains("OMP_NUM_THREADS"):
        environment.insert("OMP_NUM_THREADS", str(max((os.cpu_count() or 2) - 1, 1)))
    return environment


def _error_message(printed: str) -> str:
    """Why the command could not go on: its own sentence, else the last line that it printed."""
    lines = [line for line in printed.splitlines() if line.strip()]
    own = [line.removeprefix("metseg: ") for line in lines if line.startswith("metseg: ")]
    return next(iter(own or reversed(lines)), "")
