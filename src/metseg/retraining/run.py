"""From approved cases to a retrained model with the promotion check's decision beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from metseg.checkpoints import Checkpoint, CorrectedCases, ModelCard, load_checkpoint, read_card, replace_card
from metseg.checkpoints.store import FILE_NAME
from metseg.curation import Project
from metseg.curation.export import Layout, Manifest, exporting_project, read_manifest, verifying
from metseg.curation.record import now, software
from metseg.errors import DataError
from metseg.events import Event, Finished, Notice, Progress, relay
from metseg.metrics import Summary
from metseg.retraining.config import FILE, RetrainingConfig, child_training, read_config, write_config
from metseg.retraining.patients import RetrainingPatients, assign_split
from metseg.retraining.promotion import FILE as PROMOTION
from metseg.retraining.promotion import (
    ComparedScan,
    MaskSource,
    ModelScores,
    PromotionCheck,
    decide,
    read_promotion_check,
    remarks_on,
    write_promotion_check,
)
from metseg.study import DataFolder, write_errors
from metseg.training import card_scores, evaluate, load_parent, train, write_split
from metseg.training.dataset import masked_patients
from metseg.training.fit import SPLIT

EXPORT = "export"
LOCK = ".lock"

Steps = Generator[Progress | Notice, None, None]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is decided before the training begins."""

    config: RetrainingConfig
    parent: Checkpoint
    manifest: Manifest
    patients: RetrainingPatients
    device: str

    @property
    def folders(self) -> Sequence[Path | DataFolder]:
        """Where patients are; the corrected masks go before those they correct."""
        return (self.config.out / EXPORT, *self.config.folders)


def retrain(
    config: RetrainingConfig, *, resume: bool = False, device: str = "auto", command: str = ""
) -> Iterator[Event[PromotionCheck]]:
    """Train a network further on the approved cases of a project, and compare it with the one it came from.

    ``config.out`` receives ``retraining.json`` (the settings), ``export/`` (the approved cases as they were,
    verified), what :func:`metseg.training.train` leaves, and last ``gate.md`` and ``gate.json``. The last epoch is
    kept, so the evaluation set chooses nothing.

    Parameters
    ----------
    resume : bool
        Continue what was stopped, with the cases as they were; starts anew, with a notice, if there is nothing.
    device : str
        ``auto`` or one of :func:`metseg.inference.available_devices`.
    command : str
        For the card: what was run.

    Yields
    ------
    Progress, StepFinished, Notice, EpochFinished, Finished
        The result is the :class:`PromotionCheck`. Closed between any two events, the training can be resumed.

    Raises
    ------
    CheckpointError
        If the parent cannot be read, or is an ensemble.
    DataError
        If no case is approved, nobody is left to train on, or ``config.out`` holds something else or is in use.
    """
    parent, _ = load_parent(config.parent)
    with _alone(config.out):
        yield from _open(config, resume)
        if (config.out / PROMOTION).exists():
            yield Notice("this retraining has come to its end already")
            yield Finished(read_promotion_check(config.out))
            return
        task = yield from _prepared(config, parent, device)
        yield from _train(task, resume, command)
        yield Finished((yield from _check_promotion(task)))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other programs out of a run."""
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(out / LOCK).acquire(timeout=0)
        except Timeout as error:
            raise DataError(f"{out}: another program is at work on this retraining") from error
    with held:
        yield


def _prepared(config: RetrainingConfig, parent: Checkpoint, device: str) -> Generator[Progress | Notice, None, _Task]:
    """Take the snapshot and decide who is trained on."""
    manifest = yield from _snapshot(config)
    corrected = masked_patients(config.out / EXPORT)
    original = masked_patients(config.folders) if config.data else {}
    patients = assign_split(manifest.cases, corrected, original, parent.card.training, config.patient_pattern)
    yield from map(Notice, patients.remarks)
    evaluation_set = {patients.patients[name] for name in patients.split.held_out}
    if len(evaluation_set) < config.least_patients:
        held_out = f"{len(evaluation_set)} held-out patient{'s' * (len(evaluation_set) != 1)}"
        yield Notice(
            f"{held_out}: the promotion check will decide nothing, it needs {config.least_patients}; approve more "
            "cases, or hold out a larger share"
        )
    if not patients.replayed:
        yield Notice("nobody is shown again beside the new patients: what the parent knew may be forgotten")
    return _Task(config, parent, manifest, patients, device)


def _open(config: RetrainingConfig, resume: bool) -> Generator[Notice, None, None]:
    """Begin in an empty folder, or go on with the same settings."""
    before = read_config(config.out)
    if before is None:
        if config.out.exists() and any(not path.name.startswith(".") for path in config.out.iterdir()):
            raise DataError(f"{config.out}: is not empty; a retraining needs a folder of its own")
        if resume:
            yield Notice(f"nothing to continue in {config.out}: starting anew")
        write_config(config)
        return
    if not resume:
        raise DataError(f"{config.out} already holds a retraining; continue it with --resume, or choose another --out")
    wanted, stored = (settings.model_dump(exclude={"project", "out"}) for settings in (config, before))
    if differing := [key for key in wanted if wanted[key] != stored[key]]:
        raise DataError(
            f"{config.out / FILE} has other settings ({', '.join(differing)}); repeat the first command with --resume, "
            "or choose another --out"
        )


def _snapshot(config: RetrainingConfig) -> Generator[Progress | Notice, None, Manifest]:
    """The approved cases as they are, or as they were when this retraining began."""
    folder = config.out / EXPORT
    if not (folder / "manifest.json").exists():
        yield from relay(
            exporting_project(
                Project.open(config.project),
                folder,
                layout=Layout.PAIRS,
                held_out=config.held_out,
                seed=config.seed,
                patient_pattern=config.patient_pattern,
            )
        )
    found = yield from relay(verifying(folder))
    if not found.sound:
        differing = ", ".join((*found.missing, *found.changed, *found.extra)[:5])
        raise DataError(f"{folder}: was changed since it was written ({differing}); begin again in another --out")
    return read_manifest(folder)


def _train(task: _Task, resume: bool, command: str) -> Steps:
    config, out = task.config, task.config.out
    if (out / FILE_NAME).exists() and read_card(out / FILE_NAME).training.epoch >= config.epochs:
        return
    split = task.patients.split
    yield Notice(
        f"training on {len(split.train)} patients, {len(task.patients.replayed)} of them again; "
        f"{len(split.held_out)} held out"
    )
    write_split(out / SPLIT, split)
    settings = child_training(config, task.parent)
    yield from relay(
        train(
            settings,
            task.folders,
            out,
            resume=resume,
            device=task.device,
            replayed=task.patients.replayed,
            score=False,
            command=command,
        )
    )


def _check_promotion(task: _Task) -> Generator[Progress | Notice, None, PromotionCheck]:
    """Measure parent and child on the same patients, finish the child's card, and write the decision."""
    child = load_checkpoint(task.config.out)
    if child.card.training.parent != task.parent.sha256:
        raise DataError(f"{task.parent.path}: is not the file any more that {task.config.out} started from")
    child = replace(child, card=_inherited(task, child.card))
    summary, rows = yield from _measured(task, child)
    before = yield from _measured(task, task.parent)
    scores = ModelScores(name=child.card.name, sha256=child.sha256, rows=rows)
    parent = ModelScores(name=task.parent.card.name, sha256=task.parent.sha256, rows=before[1])
    result, reason = decide(parent, scores, task.config)
    difference, remarks = remarks_on(parent, scores)
    card = child.card.model_copy(
        update={
            "scores": {} if summary is None else {"held_out": card_scores(summary)},
            "notes": f"{child.card.notes} Promotion check: {result}; {reason}.",
        }
    )
    final = load_checkpoint(replace_card(child, card))
    promotion = PromotionCheck(
        result=result,
        reason=reason,
        remarks=(*remarks, *task.patients.remarks),
        parent=parent,
        child=scores.model_copy(update={"sha256": final.sha256}),
        difference=difference,
        tolerance=task.config.tolerance,
        least_patients=task.config.least_patients,
        postprocessing=card.postprocessing,
        project=task.manifest.project,
        manifest_sha256=task.manifest.sha256,
        time=now(),
        software=software(),
    )
    write_promotion_check(task.config.out, promotion)
    return promotion


def _inherited(task: _Task, card: ModelCard) -> ModelCard:
    """The child's card: from probabilities to mask as its parent, and where it comes from."""
    parent, manifest = task.parent.card, task.manifest
    corrected = CorrectedCases(project=manifest.project, manifest_sha256=manifest.sha256, cases=len(manifest.cases))
    record = card.training.model_copy(
        update={
            "parent": task.parent.sha256,
            "parent_name": parent.name,
            "corrected": (*parent.training.corrected, corrected),
        }
    )
    calibrated = " Temperature and post-processing are the parent's, not fitted anew."
    return card.model_copy(
        update={
            "inference": parent.inference,
            "postprocessing": parent.postprocessing,
            "training": record,
            "notes": f"Retrained from `{parent.name}` on {corrected.cases} corrected cases.{calibrated}",
        }
    )


def _measured(
    task: _Task, model: Checkpoint
) -> Generator[Progress | Notice, None, tuple[Summary | None, tuple[ComparedScan, ...]]]:
    """Scores of one model on the evaluation set."""
    evaluation_set = task.patients.split.held_out
    if not evaluation_set:
        return None, ()
    stream = evaluate(model, task.folders, patients=evaluation_set, device=task.device, flair_alone=False)
    evaluation = yield from relay(stream)
    summary = evaluation.summaries["all sequences"]
    patients, corrected = task.patients.patients, task.patients.corrected
    rows = tuple(
        ComparedScan(
            name=scan.name,
            patient=patients[score.name],
            source=MaskSource.PROJECT if score.name in corrected else MaskSource.ORIGINAL,
            dice=scan.dice,
            lesions=len(scan.lesions),
            found=scan.found,
            false=len(scan.false_positives),
        )
        for score in summary.scores
        for scan in score.scans
    )
    return summary, rows
