"""Settings of a retraining, and the file in its folder that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from metseg.checkpoints import Checkpoint
from metseg.curation.documents import read_document, write_document
from metseg.networks import EnsembleSpec
from metseg.study import DataFolder, Sequence, read_rules
from metseg.training import TrainingConfig

FILE = "retraining.json"

_CORRECTED = "corrected cases of metseg projects"

Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]


class RetrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """A retraining.

    Attributes
    ----------
    project : Path
        Its approved cases are trained on.
    parent : str
        Name or path of the single network that is trained further.
    data : tuple of Path
        Folders of patients with masks that are shown again, so that they are not forgotten.
    rules, labels, sequences : Path, tuple of int, tuple of Sequence, or None
        Of the files in ``data``: a rules file, values of masks that are lesion, a name for each channel.
    out : Path
        Where everything goes; new or empty.
    replay : float
        Share of the examples that come from ``data``.
    epochs : int
        In an epoch every new slice with lesion is shown once.
    steps_per_epoch : int or None
        In place of that.
    learning_rate : float
        Of the decoder; the encoder's is as much smaller as it was for the parent.
    held_out : float
        Share of the project's patients that are evaluated on instead of trained on.
    patient_pattern : str
        Regular expression whose first group, in a name, names the patient; by default each name is one.
    tolerance : float
        How much lower than the parent's the mean Dice on held-out patients may be.
    least_patients : int
        With fewer held-out patients the promotion check decides nothing.
    seed : int
        Decides who is held out, the order of slices and their augmentation.
    """

    project: Folder
    parent: str
    data: tuple[Folder, ...] = ()
    rules: Folder | None = None
    labels: tuple[int, ...] | None = None
    sequences: tuple[Sequence, ...] | None = None
    out: Folder
    replay: Annotated[float, Field(ge=0, lt=1)] = 0.5
    epochs: Annotated[int, Field(ge=1)] = 5
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 3e-4
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.2
    patient_pattern: str = ""
    tolerance: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    least_patients: Annotated[int, Field(ge=1)] = 3
    seed: int = 0

    @property
    def folders(self) -> tuple[DataFolder, ...]:
        """``data`` with rules, labels and sequences."""
        rules = None if self.rules is None else read_rules(self.rules)
        return tuple(DataFolder(folder, rules, self.sequences).with_labels(self.labels) for folder in self.data)


def read_config(out: Path) -> RetrainingConfig | None:
    """Settings of the retraining in folder ``out``; ``None`` if there is none.

    Raises
    ------
    UnreadableFileError
        If the file is damaged.
    """
    return read_document(out / FILE, RetrainingConfig) if (out / FILE).exists() else None


def command_arguments(config: RetrainingConfig, *, resume: bool = False) -> list[str]:
    """The arguments of ``metseg`` that do this retraining and print every event as JSON."""
    options: dict[str, object] = {
        "--rules": config.rules,
        "--labels": ",".join(map(str, config.labels or ())),
        "--sequences": ",".join(config.sequences or ()),
        "--replay": config.replay,
        "--epochs": config.epochs,
        "--steps-per-epoch": config.steps_per_epoch,
        "--learning-rate": config.learning_rate,
        "--held-out": config.held_out,
        "--patient": config.patient_pattern,
        "--tolerance": config.tolerance,
        "--least-held-out": config.least_patients,
        "--seed": config.seed,
    }
    given = [text for name, value in options.items() if value not in (None, "") for text in (name, str(value))]
    data = [text for folder in config.data for text in ("--data", str(folder))]
    where = [str(config.project), "--parent", config.parent, "--out", str(config.out)]
    return ["retrain", *where, *data, *given, "--json-events", *(["--resume"] if resume else [])]


def write_config(config: RetrainingConfig) -> None:
    """Make the folder of a retraining and its settings in it."""
    config.out.mkdir(parents=True, exist_ok=True)
    write_document(config.out / FILE, config)


def child_training(config: RetrainingConfig, parent: Checkpoint) -> TrainingConfig:
    """The parent's own recipe, shortened: same network and preprocessing, smaller steps, the last epoch kept."""
    spec, source = parent.card.network, parent.card.training.data
    if isinstance(spec, EnsembleSpec):
        raise TypeError(f"{parent.card.name} is an ensemble")
    try:
        recipe = TrainingConfig.model_validate(parent.card.training.config)
    except ValidationError:  # of a later version, or weights that metseg did not train
        recipe = TrainingConfig(architecture=spec.architecture)
    changes = {
        "architecture": spec.architecture,
        "encoder": spec.encoder,
        "encoder_weights": None,
        "init": str(parent.path),
        "freeze_encoder": 0,
        "preprocessing": parent.card.preprocessing,
        "target": parent.card.target,
        "epochs": config.epochs,
        "steps_per_epoch": config.steps_per_epoch,
        "learning_rate": config.learning_rate,
        "encoder_learning_rate": config.learning_rate * recipe.encoder_learning_rate / recipe.learning_rate,
        "folds": None,
        "fold": None,
        "held_out": config.held_out,
        "threshold": parent.card.postprocessing.threshold,
        "validate_every": 1,
        "keep_last": True,
        "replay": config.replay,
        "seed": config.seed,
        "data_source": source if _CORRECTED in source else "; ".join(filter(None, (source, _CORRECTED))),
    }
    return TrainingConfig.model_validate(recipe.model_copy(update=changes).model_dump())
