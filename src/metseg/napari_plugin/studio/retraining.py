"""Retrains networks on the project's approved cases, in a process of its own. Owns no widget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from metseg.curation import CaseSummary, DefaultModel, Project, Status
from metseg.curation.default_model import RUNS
from metseg.curation.export import SplitRule, Subset
from metseg.curation.export.splitting import sides_of
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.native_libraries import keep_llvm_apart
from metseg.napari_plugin.state import ModelChoice
from metseg.napari_plugin.studio.preparation import importing
from metseg.napari_plugin.studio.training_process import Phase, TrainingProcess, TrainingState
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio
    from metseg.retraining import RetrainingConfig

#: Milliseconds between two updates of the panel.
_CALM = 250


class Retraining(WorkerMixin):
    """What the panel shows, and the process behind it.

    Attributes
    ----------
    parent : str
        Key of the network to start from.
    data : tuple of Path
        Folders of patients that are shown again.
    held_out : float
        Share of the project's patients that is evaluated on.
    changed : Signal
        One of these is another, at most four times a second while it trains.
    """

    changed = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self.process = self._new_process()
        self.parent, self.epochs, self.held_out = "", 5, 0.2
        self.data: tuple[Path, ...] = ()
        self._looking = self.worker(self._on_found, self._on_not_found)
        self._reading = self.worker(self._on_read, studio.report_error)
        self._promoting = self.worker(self._on_promoted, studio.report_error)
        self._soon = self.delayed(self.changed.emit, _CALM)
        self.default: DefaultModel | None = None
        self.follow(studio.state.events, ("project",), self._on_project)
        self.follow(studio.state.events, ("models",), self._on_models)
        studio.add_closing(self.close)
        self._on_project(studio.state.project)
        self._on_models()

    def close(self) -> None:
        """Stop listening; a process ends after the step in progress."""
        super().close()
        self.process.leave()

    # What may be done

    @property
    def run(self) -> TrainingState:
        """What is known of the newest retraining."""
        return self.process.state

    @property
    def approved(self) -> int:
        """Cases to train on."""
        return len(self._approved)

    @property
    def _approved(self) -> list[CaseSummary]:
        cases = self._studio.state.cases
        return [case for case in cases if case.status is Status.APPROVED and not case.problem]

    @property
    def evaluation_set(self) -> int:
        """Patients of the project in the evaluation set: held out by its export, and unknown to the parent."""
        names = {case.name for case in self._approved}
        sides = sides_of(names, SplitRule(held_out=self.held_out, seed=0))
        known = set() if self.choice is None or self.choice.card is None else set(self.choice.card.training.patients)
        return sum(side is Subset.HELD_OUT for name, side in sides.items() if name not in known)

    @property
    def old_evaluation_set(self) -> bool:
        """Whether patients of the folders are in the evaluation set too: those held out by the parent's card."""
        card = None if self.choice is None else self.choice.card
        return bool(self.data) and card is not None and bool(card.training.held_out)

    @property
    def obstacle(self) -> str:
        """Why nothing can be started now, as a text; empty if it can."""
        state = self._studio.state
        if self.run.running:
            return translate("studio", "A training runs already.")
        if state.project is None:
            return translate("studio", "Open a project first.")
        if state.searching or self._looking.busy or self._reading.busy:
            return translate("studio", "Still looking for networks.")
        if self._studio.state.remote:
            return translate("studio", "Training runs here: choose this computer under Predict first.")
        if not self.approved:
            return translate("studio", "Approve cases first: only approved ones are trained on.")
        return "" if self.choice is not None else translate("studio", "Choose a network to start from.")

    @property
    def promotion_obstacle(self) -> str:
        """Why the new network cannot become the default, as a text; empty if it can."""
        if self.run.promotion is None:
            return translate("studio", "Only a network that was compared with its parent can become the default.")
        if self.is_default:
            return translate("studio", "It is the project's default already.")
        failed = translate("studio", "The promotion check was not passed: {reason}.").format(
            reason=self.run.promotion.reason
        )
        return "" if self.run.promotion.passed else failed

    @property
    def is_default(self) -> bool:
        """Whether the new network is what the project uses first."""
        return (
            self.run.promotion is not None
            and self.default is not None
            and self.default.sha256 == self.run.promotion.child.sha256
        )

    @property
    def choice(self) -> ModelChoice | None:
        """The network to start from."""
        return next((model for model in self.parents if model.key == self.parent), None)

    @property
    def parents(self) -> list[ModelChoice]:
        """Networks that can be trained further: single ones of this computer."""
        if self._studio.state.remote:
            return []
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

    def set_held_out(self, share: float) -> None:
        """Evaluate on another share of the project's patients."""
        self.held_out = share
        self.changed.emit()

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
        if self.obstacle:
            self._studio.report(self.obstacle)
        else:
            self._studio.when_saved(self._start_saved)

    def _start_saved(self, saved: bool) -> None:
        project, choice = self._studio.state.project, self.choice
        if not saved or self.obstacle or project is None or choice is None:
            return
        from metseg.retraining import RetrainingConfig, new_run_folder

        out = new_run_folder(project.path, choice.title if choice.card is None else choice.card.name)
        config = RetrainingConfig(
            project=project.path,
            parent=choice.key,
            data=self.data,
            out=out,
            epochs=self.epochs,
            held_out=self.held_out,
        )
        self.process.state = TrainingState()
        self._begin(config, resume=False)

    def stop(self) -> None:
        """End the process after the step in progress."""
        if self.run.phase is Phase.RUNNING:
            self.process.stop()
            self.changed.emit()

    def resume(self) -> None:
        """Go on with the retraining that was stopped."""
        if self.run.config is not None and self.run.resumable:
            self._begin(self.run.config, resume=True)

    def promote(self) -> None:
        """Make the new network the project's default, in a thread."""
        project = self._studio.state.project
        if not self.promotion_obstacle and project is not None and self.run.config is not None:
            from metseg.retraining import promote

            self._promoting.submit(promote, project, self.run.config.out)

    def _begin(self, config: RetrainingConfig, *, resume: bool) -> None:
        from metseg.retraining import command_arguments

        self.run.config = config
        self.process.start(command_arguments(config, resume=resume))
        self.changed.emit()

    # What is received

    def _new_process(self) -> TrainingProcess:
        process = TrainingProcess()
        process.changed.connect(self._on_process)
        return process

    def _on_process(self) -> None:
        if self.run.running:
            if not self._soon.isActive():
                self._soon.start()
            return
        self._soon.stop()
        if self.run.promotion is not None and self.run.config is not None:
            self._reading.submit(pipeline.model_from_file, str(self.run.config.out / "model.safetensors"))
        self.changed.emit()

    def _on_project(self, project: Project | None) -> None:
        if self.run.running:
            self.process.leave()
            self.process = self._new_process()
        self.process.state = TrainingState()
        self.default = None
        if project is not None:
            self._looking.submit(_look, project)
        self.changed.emit()

    def _on_models(self) -> None:
        if self.choice is None and self.parents:
            self.parent = self.parents[0].key
        self.changed.emit()

    def _on_found(self, found: tuple[TrainingState | None, DefaultModel | None]) -> None:
        last, self.default = found
        if last is not None and not self.run.running:
            self.process.state = last
            if last.config is not None:
                self.data, self.epochs, self.held_out = last.config.data, last.config.epochs, last.config.held_out
        self.changed.emit()

    def _on_not_found(self, error: Exception) -> None:
        self._studio.report_error(error)
        self.changed.emit()

    def _on_read(self, choice: ModelChoice) -> None:
        """Offer a network beside the others; the one that is chosen for predictions stays chosen."""
        others = (known for known in self._studio.state.models if known.key != choice.key)
        self._studio.state.models = (*others, choice)

    def _on_promoted(self, default: DefaultModel) -> None:
        self.default = default
        text = translate("studio", "{name} is asked first in this project from now on.")
        self._studio.report(text.format(name=default.name))
        self.changed.emit()


def averages(model: ModelChoice) -> bool:
    """Whether a network is an ensemble, which cannot be trained further."""
    return model.card is not None and hasattr(model.card.network, "members")


def _look(project: Project) -> tuple[TrainingState | None, DefaultModel | None]:
    """The project's newest retraining, and its default network; imports torch only if there is a retraining."""
    if not (project.path / RUNS).is_dir():
        return None, project.default_model
    keep_llvm_apart()
    with importing():
        from metseg.retraining import newest_run

    found = newest_run(project.path)
    if found is None:
        return None, project.default_model
    phase = Phase.STOPPED if found.promotion is None else Phase.FINISHED
    return TrainingState(found.config, phase, rows=found.rows, promotion=found.promotion), project.default_model
