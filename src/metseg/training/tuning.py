"""A search for better settings on inner folds of patients, with Optuna (Akiba et al. 2019, arXiv 1907.10902)."""

from __future__ import annotations

import csv
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from metseg.errors import DataError, MissingExtraError
from metseg.events import Event, Finished, Notice, Progress
from metseg.inference import resolve_device
from metseg.study import write_atomically, write_text
from metseg.training.config import TrainingConfig
from metseg.training.dataset import Folders, joined_patients, masked_patients, prepare_patients
from metseg.training.prepared import PreparedStudy
from metseg.training.split import make_folds
from metseg.training.trainer import Trainer
from metseg.training.transfer import load_parent

if TYPE_CHECKING:
    from optuna.study import Study as Search
    from optuna.trial import BaseTrial, Trial

JOURNAL = "trials.journal"
BEST = "best.json"
TABLE = "trials.csv"
_RANDOM_TRIALS = 4
_DIVERGED = "diverged"
_CROPS = (96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
#: Thresholds of which every trial takes its best.
THRESHOLDS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


class TuningConfig(BaseModel, frozen=True, extra="forbid"):
    """How large a search is.

    Attributes
    ----------
    trials : int
        Settings to try, the base among them.
    folds : int
        Inner folds; every trial trains a network for each.
    patients : int or None
        Patients to search on, drawn at random; ``None`` takes all.
    seed : int
        Decides who they are, the folds, and what is tried.
    """

    trials: Annotated[int, Field(ge=1)] = 10
    epochs: Annotated[int, Field(ge=1)] = 3
    steps_per_epoch: Annotated[int, Field(ge=1)] = 20
    folds: Annotated[int, Field(ge=2)] = 2
    patients: Annotated[int, Field(ge=2)] | None = 20
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Settings that are varied around those of ``base``.

    Learning rates go from a fifth to five times the base's, the strength of the augmentation from 0.3 to 2 times
    (:meth:`metseg.training.AugmentationConfig.scaled`). The threshold is not drawn: for every trial all of
    :data:`THRESHOLDS` are measured, which costs nothing.

    Attributes
    ----------
    base : TrainingConfig
        Everything that is not varied.
    side : int
        Longest side of the prepared slices, pixels; no crop but the base's is larger.
    """

    base: TrainingConfig
    side: int

    def base_point(self) -> dict[str, Any]:
        """The base configuration as a point of the space."""
        return {
            "learning_rate": self.base.learning_rate,
            "encoder_learning_rate": self.base.encoder_learning_rate,
            "focal": self.base.loss.focal,
            "bce": self.base.loss.bce,
            "augmentation": 1.0,
            "missing_sequence": self.base.augmentation.missing_sequence,
            "crop": self.base.crop,
            "lesion_share": self.base.lesion_share,
        }

    def config(self, trial: BaseTrial) -> TrainingConfig:
        """The configuration that ``trial`` proposes; of a point of the space, that of Optuna's ``FixedTrial``."""
        base, draw = self.base, trial.suggest_float
        rate, encoder_rate = base.learning_rate, base.encoder_learning_rate
        drawn = {
            "learning_rate": draw("learning_rate", rate / 5, rate * 5, log=True),
            "encoder_learning_rate": draw("encoder_learning_rate", encoder_rate / 5, encoder_rate * 5, log=True),
        }
        loss = {
            "focal": draw("focal", 0.0, max(2.0, base.loss.focal)),
            "bce": draw("bce", 0.0, max(1.0, base.loss.bce)),
        }
        augmentation = base.augmentation.scaled(draw("augmentation", 0.3, 2.0))
        missing = draw("missing_sequence", 0.0, max(0.3, base.augmentation.missing_sequence))
        crops = sorted({crop for crop in _CROPS if crop <= self.side} | {base.crop})
        crop = trial.suggest_categorical("crop", crops)
        share = draw("lesion_share", min(0.3, base.lesion_share), max(0.8, base.lesion_share))
        return base.model_copy(
            update={
                **drawn,
                "loss": base.loss.model_copy(update=loss),
                "augmentation": augmentation.model_copy(update={"missing_sequence": missing}),
                "crop": crop,
                "lesion_share": share,
            }
        )


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial.

    Attributes
    ----------
    number : int
        From 0, the base.
    state : {"complete", "pruned", "diverged"}
        Pruned: stopped early because half of the earlier trials were better at the same epoch.
    dice : float or None
        Mean Dice per patient after the last epoch that was trained, each measured by the network that did not see
        the patient.
    threshold : float or None
        Threshold of that Dice.
    seconds : float
        How long it took.
    """

    number: int
    state: str
    dice: float | None
    threshold: float | None
    settings: dict[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The best settings, the file they are in, the trial they come from, and all trials in order."""

    best: TrainingConfig
    file: Path
    winner: TrialRow
    trials: list[TrialRow]


#: A network in training and the patients that measure it.
Fold = tuple[Trainer, list[PreparedStudy]]


def tune(
    base: TrainingConfig, data: Folders, out: Path, *, search: TuningConfig | None = None, device: str = "auto"
) -> Iterator[Event[TuningResult]]:
    """Search around ``base`` for settings with a higher Dice on patients that were not trained on.

    Each trial trains one network per inner fold, epoch by epoch side by side; after each epoch every patient has been
    measured by the network that did not see it, and the trial is given up if its mean is below the median of the
    earlier trials at that epoch. ``out`` receives ``trials.journal`` (Optuna's own record, one process at a time),
    ``trials.csv``, and ``best.json``: ``base`` with the best trial's settings. A search that was interrupted goes on
    where it was, a trial that was cut off is done again, and more trials may be added later.

    Parameters
    ----------
    base : TrainingConfig
        What is not varied, and the first trial. Its epochs, split and folds do not count here, and no synthetic heads
        or simulated lesions are added.
    data : Path or DataFolder
        As for :func:`metseg.training.train`. Leave the patients of the evaluation set out of it.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    DataError
        If there are too few patients, ``out`` holds another search, or no trial came to its end.
    """
    search = search or TuningConfig()
    patients = masked_patients(data, base.sequences)
    chosen = sorted(np.random.default_rng(search.seed).permutation(sorted(patients))[: search.patients].tolist())
    parts = make_folds(chosen, search.folds, search.seed, joined_patients(patients))
    record = _open(out)
    from optuna.samplers import TPESampler
    from optuna.trial import FixedTrial

    _check_same_search(record, base, search, chosen, out)
    parent = load_parent(base.init)[0] if base.init is not None else None
    studies = yield from prepare_patients(patients, chosen, base.preprocessing)
    space = SearchSpace(base, side=max(max(study.masks.shape[1:]) for study in studies))
    _repeat_interrupted(record)
    if not record.get_trials(deepcopy=False):
        record.enqueue_trial(space.base_point())
    while (done := len(_rows(record))) < search.trials:
        made = len(record.get_trials(deepcopy=False))  # the same is proposed after an interruption as without one
        record.sampler = TPESampler(seed=search.seed * 100_003 + made, n_startup_trials=_RANDOM_TRIALS)
        trial = record.ask()
        config = _shortened(space.config(trial), search)
        folds = []
        for part in parts:
            training = [study for study in studies if study.name in part.train]
            trainer = Trainer(config, training, resolve_device(device), parent)
            folds.append((trainer, [study for study in studies if study.name in part.held_out]))
        yield from _run(record, trial, folds, search, done)
        rows = _rows(record)
        _write_table(out / TABLE, rows)
        yield Notice(_remark(rows))
    rows = _rows(record)
    winner = _winner(rows)
    best = space.config(FixedTrial(winner.settings)).model_copy(update={"threshold": winner.threshold})
    write_text(out / BEST, best.model_dump_json(indent=2) + "\n")
    yield Finished(TuningResult(best, out / BEST, winner, rows))


def _open(out: Path) -> Search:
    """The search recorded in ``out``, or a new one."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    except ImportError as error:
        raise MissingExtraError("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    journal = out / JOURNAL
    _drop_torn_line(journal)
    storage = JournalStorage(JournalFileBackend(str(journal), JournalFileOpenLock(str(journal))))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS)
    return optuna.create_study(
        storage=storage, study_name="metseg", direction="maximize", pruner=pruner, load_if_exists=True
    )


def _drop_torn_line(journal: Path) -> None:
    """Cut off a last line that a crash left unfinished; Optuna could not read what follows it."""
    if not journal.exists():
        return
    whole = journal.read_bytes().rpartition(b"\n")
    if whole[2]:
        with write_atomically(journal) as temporary:
            temporary.write_bytes(whole[0] + whole[1])


def _check_same_search(
    record: Search, base: TrainingConfig, search: TuningConfig, chosen: list[str], out: Path
) -> None:
    """Write down what is searched, or check that it is the same as before."""
    now = {
        "base": base.model_dump(mode="json"),
        "search": search.model_dump(mode="json", exclude={"trials"}),
        "patients": chosen,
    }
    before = record.user_attrs.get("what")
    if before is None:
        record.set_user_attr("what", now)
    elif before != now:
        raise DataError(
            f"{out} holds another search ({', '.join(key for key in now if now[key] != before[key])} differ); "
            "repeat its command to go on, or choose another --out"
        )


def _repeat_interrupted(record: Search) -> None:
    """Queue the trials again that were running when their process ended."""
    from optuna.trial import TrialState

    for trial in record.get_trials(states=(TrialState.RUNNING,)):
        record.tell(trial.number, state=TrialState.FAIL)
        record.enqueue_trial(trial.params)


def _shortened(config: TrainingConfig, search: TuningConfig) -> TrainingConfig:
    """``config`` for a training of the search's length, the encoder frozen for the same share of it."""
    frozen = round(config.freeze_encoder * search.epochs / config.epochs)
    return config.model_copy(
        update={"epochs": search.epochs, "steps_per_epoch": search.steps_per_epoch, "freeze_encoder": frozen}
    )


def _run(
    record: Search, trial: Trial, folds: list[Fold], search: TuningConfig, done: int
) -> Generator[Progress, None, None]:
    """Train the folds of one trial epoch by epoch, and record how it ended."""
    from optuna.trial import TrialState

    started = time.monotonic()
    per_epoch = len(folds) * search.steps_per_epoch
    state, dice = TrialState.COMPLETE, None
    for epoch in range(search.epochs):
        first = (done * search.epochs + epoch) * per_epoch
        total = search.trials * search.epochs * per_epoch
        try:
            dice, threshold = yield from _epoch(folds, first, total, f"trial {done + 1} of {search.trials}")
        except DataError as error:
            trial.set_user_attr(_DIVERGED, str(error))
            state = TrialState.FAIL
            break
        trial.set_user_attr("threshold", threshold)
        trial.report(dice, epoch)
        if epoch + 1 < search.epochs and trial.should_prune():
            state = TrialState.PRUNED
            break
    trial.set_user_attr("seconds", round(time.monotonic() - started, 1))
    record.tell(trial, dice if state == TrialState.COMPLETE else None, state)


def _epoch(folds: list[Fold], first: int, total: int, title: str) -> Generator[Progress, None, tuple[float, float]]:
    """Train every fold for an epoch; mean Dice over all patients at the best threshold, and that threshold."""
    dice: dict[str, list[float]] = {}
    for trainer, held_out in folds:
        for _ in trainer.run_epoch():
            first += 1
            yield Progress(first, total, f"{title}, epoch {trainer.epoch + 1}")
        stream = trainer.dice_at(held_out, THRESHOLDS)
        while True:
            try:
                event = next(stream)
            except StopIteration as end:
                dice |= end.value
                break
            yield Progress(first, total, f"{title}, {event.what}")
    means = np.mean(list(dice.values()), axis=0)
    best = int(means.argmax())
    return float(means[best]), THRESHOLDS[best]


def _rows(record: Search) -> list[TrialRow]:
    """The trials that came to an end by themselves."""
    from optuna.trial import TrialState

    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "diverged"}
    ended = [
        trial
        for trial in record.get_trials(deepcopy=False)
        if trial.state in names and (trial.state != TrialState.FAIL or _DIVERGED in trial.user_attrs)
    ]
    rows = []
    for number, trial in enumerate(ended):
        about, values = trial.user_attrs, trial.intermediate_values
        dice = values[max(values)] if values else None
        row = TrialRow(number, names[trial.state], dice, about.get("threshold"), dict(trial.params), about["seconds"])
        rows.append(row)
    return rows


def _winner(rows: list[TrialRow]) -> TrialRow:
    complete = [row for row in rows if row.state == "complete" and row.dice is not None]
    if not complete:
        raise DataError("no trial came to its end; try lower learning rates, or look at the data")
    return max(complete, key=lambda row: row.dice or 0.0)


def _remark(rows: list[TrialRow]) -> str:
    last = rows[-1]
    dice = "" if last.dice is None else f", Dice {last.dice:.3f}"
    scores = [row.dice for row in rows if row.state == "complete" and row.dice is not None]
    best = f"; best so far {max(scores):.3f}" if scores else ""
    return f"trial {last.number} {last.state}{dice}, {last.seconds:.0f} s{best}"


def _write_table(path: Path, rows: list[TrialRow]) -> None:
    columns = ["trial", "state", "dice", "threshold", *rows[0].settings, "seconds"]
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(
            [row.number, row.state, row.dice, row.threshold, *row.settings.values(), row.seconds] for row in rows
        )
