"""A training run from a folder of masked slices to a checkpoint with its card."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Generator, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any

from metseg.checkpoints import ModelCard, TrainingRecord, load_checkpoint, save_checkpoint
from metseg.checkpoints.store import FILE_NAME
from metseg.errors import DataError
from metseg.events import EpochFinished, Event, Finished, Notice, Progress, relay
from metseg.inference import resolve_device
from metseg.lesions import PostprocessingConfig
from metseg.metrics import Summary
from metseg.study import StudyFiles
from metseg.synthetic import synthetic_study
from metseg.training.config import TrainingConfig
from metseg.training.curves import write_log
from metseg.training.dataset import (
    Channels,
    Folders,
    joined_patients,
    masked_patients,
    prepare,
    prepare_background,
    prepare_patients,
    prepare_single_slices,
)
from metseg.training.distributed import ALONE, Processes
from metseg.training.evaluation import evaluate
from metseg.training.prepared import PreparedCache, PreparedStudy
from metseg.training.split import Joined, Split, make_folds, make_split, read_split, same_image_groups, write_split
from metseg.training.trainer import Trainer
from metseg.training.transfer import load_parent

STATE = "state.pt"
SPLIT = "split.json"
#: Folds are the same whatever the run's seed, so that runs that differ in it, or start from one another, hold out the
#: same patients.
_FOLDS_SEED = 0
#: Synthetic heads for training start here, so that the sample study (seed 0) is never among them.
_FIRST_SYNTHETIC_SEED = 1000


def train(
    config: TrainingConfig,
    data: Folders,
    out: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    split: Path | None = None,
    replayed: Collection[str] = (),
    background: Folders | None = None,
    single_slices: Folders | None = None,
    cache: Path | None = None,
    score: bool = True,
    command: str = "",
    processes: Processes = ALONE,
) -> Iterator[Event[Path]]:
    """Train a network.

    ``out`` receives ``split.json`` (made if it is not there; unless a fold is trained it may be edited before the
    first run), ``model.safetensors`` with its card (the best epoch by mean Dice per held-out patient; without held-out
    patients, or with ``config.keep_last``, the last), ``log.csv``, ``curves.png`` and ``state.pt``, written after each
    epoch and when this is closed within one, from which ``resume`` continues to the same weights as an unbroken run.

    Parameters
    ----------
    data : Path or sequence of Path
        A folder that :func:`metseg.study.find_studies` understands; of a patient who is in several the first counts.
    out : Path
        Where results go.
    resume : bool
        Continue; starts anew, with a notice, if there is nothing to continue.
    device : str
        ``auto`` or one of :func:`metseg.inference.available_devices`.
    split : Path, optional
        A split file to use in place of ``out/split.json``.
    replayed : collection of str
        Training patients that are shown again so that they are not forgotten, see ``config.replay``.
    background : Path or sequence of Path, optional
        Further patients to train on, whose masks outline something else: see
        :func:`metseg.training.dataset.prepare_background`. They are in no split, and ``config.replay`` is their share
        of the examples without lesion.
    single_slices : Path or sequence of Path, optional
        Masked slices that are no volume, likewise; with the background they have the share ``config.replay``.
    cache : Path, optional
        Folder in which preprocessed volumes are kept for the next run, see
        :class:`metseg.training.prepared.PreparedCache`.
    score : bool
        Score the kept checkpoint on held-out patients at the end, and write the scores into its card.
    command : str
        For the card: what was run.
    processes : Processes
        Who shares the steps, see :func:`metseg.training.join_processes`. All of them call this with the same
        arguments and end together; the first writes the files and scores.

    Yields
    ------
    Progress, StepFinished, Notice, EpochFinished, Finished
        The result is the path of the checkpoint.

    Raises
    ------
    DataError
        If there is nothing to train on, ``out`` holds another run, or the batches are not a multiple of the processes.
    CheckpointError
        If nothing of the checkpoint to start from fits.
    """
    state = out / STATE
    if (config.batch_size // config.stack) % processes.count:
        stacks = f" in {config.batch_size // config.stack} stacks" if config.stack > 1 else ""
        raise DataError(
            f"{processes.count} processes cannot share a batch of {config.batch_size} slices{stacks} equally; choose "
            "another --batch-size, which is that of all of them, or another number of processes"
        )
    if state.exists() and not resume:
        raise DataError(f"{out} already holds a training run; continue it with --resume, or choose another --out")
    continued = resume and state.exists()
    parent = load_parent(config.init)[0] if config.init is not None and not continued else None
    patients = masked_patients(data, config.sequences)
    joined = joined_patients(patients)
    chosen = _choose_split(config, patients, joined, out, split)
    yield from _remark_patients(patients, joined, chosen, out / SPLIT if split is None else split)
    if not chosen.held_out:
        yield Notice("no patient is held out: the last epoch is kept, and its scores on new patients are unknown")
    kept = None if cache is None else PreparedCache(cache)
    studies = yield from prepare_patients(
        patients, chosen.train, config.preprocessing, simulated=config.simulated_lesions, seed=config.seed, cache=kept
    )
    studies = [replace(study, replayed=study.patient in replayed) for study in studies]
    studies += [replace(head, replayed=bool(replayed)) for head in (yield from _synthetic(config))]
    shown = [] if background is None else (yield from prepare_background(background, config.preprocessing, kept))
    if single_slices is not None:
        shown += yield from prepare_single_slices(single_slices, config.preprocessing)
    trained_on = {*chosen.train, *(study.patient for study in shown)}
    held_out = yield from prepare_patients(patients, chosen.held_out, config.preprocessing, cache=kept)
    found = studies + shown
    studies = yield from _without_held_out(found, held_out)
    trained_on -= {study.patient for study in found} - {study.patient for study in studies}
    trainer = Trainer(config, studies, resolve_device(device), parent, processes)
    if trainer.transferred:
        yield Notice(trainer.transferred)
    elif config.starts_at_random and not continued:
        yield Notice(f"encoder {config.network.encoder} starts from random weights")
    if seen := set(trainer.seen_by_parent) & set(chosen.held_out):
        yield Notice(
            f"{len(seen)} of {len(chosen.held_out)} held-out patients were trained on by {config.init}: "
            "they choose the epoch, but are not scored"
        )
    if continued:
        trainer.restore(state)
        within = f" and {trainer.step} step{'s' * (trainer.step != 1)}" if trainer.step else ""
        yield Notice(f"continuing after epoch {trainer.epoch}{within}")
    elif resume:
        yield Notice(f"nothing to continue in {out}: starting anew")
    trainer.start_together(held_out)
    if processes.first:
        write_split(out / SPLIT, chosen)
    try:
        while trainer.pending is not None or trainer.epoch < config.epochs:
            if trainer.pending is None:
                yield from trainer.run_epoch()
            yield from _conclude_epoch(trainer, held_out, out, _record(trainer, chosen, trained_on, command))
    except GeneratorExit:
        if processes.first:
            trainer.save(out / STATE)
        raise
    processes.leave()
    if score and processes.first:
        yield from _score_best(data, out, device, config.sequences)
    yield Finished(out / FILE_NAME)


def _choose_split(
    config: TrainingConfig, patients: dict[str, list[StudyFiles]], joined: Joined, out: Path, given: Path | None
) -> Split:
    """Choose who is trained on: the fold's, else the split that is given, else the one that lies there, else a new one.

    Nothing is written: a run that fails before its first step leaves nothing behind.
    """
    kept = out / SPLIT
    if config.folds is None or config.fold is None:
        if given is None and not kept.exists():
            return make_split(patients, config.held_out, config.seed, joined)
        return read_split(given or kept, patients, joined)
    if given is not None:
        raise DataError("a fold decides who is held out; leave --split or --folds away")
    chosen = make_folds(patients, config.folds, _FOLDS_SEED, joined)[config.fold]
    if kept.exists() and read_split(kept, patients, joined) != chosen:
        raise DataError(f"{kept} is not fold {config.fold} of {config.folds}; remove it, or choose another --out")
    return chosen


def _remark_patients(
    patients: dict[str, list[StudyFiles]], joined: Joined, chosen: Split, file: Path
) -> Generator[Notice, None, None]:
    """Report who takes no part, and who holds the same images as another."""
    if left := sorted(set(patients) - set(chosen.train) - set(chosen.held_out)):
        many = f"{len(left)} patients are" if len(left) > 1 else "1 patient is"
        yield Notice(f"{many} in the data but not named in {file}, and not used: {', '.join(left)}")
    for names in same_image_groups(patients, joined).values():
        if len(names) > 1:
            yield Notice(f"{', '.join(names)} hold the same images: they stay on one side of the split")


def _without_held_out(
    studies: list[PreparedStudy], held_out: list[PreparedStudy]
) -> Generator[Notice, None, list[PreparedStudy]]:
    """Leave out whoever has the pixels of a held-out study, under whatever name and in whatever format."""
    evaluation_names = {study.fingerprint: study.name for study in held_out}
    evaluation_names.pop(None, None)
    found = [(study.name, evaluation_names.get(study.fingerprint)) for study in studies]
    same = {name: other for name, other in found if other is not None}
    for name, other in same.items():
        yield Notice(f"{name} holds the same pixels as {other}, which is held out: it is not trained on")
    return [study for study in studies if study.name not in same]


def _synthetic(config: TrainingConfig) -> Generator[Progress, None, list[PreparedStudy]]:
    heads: list[PreparedStudy] = []
    for count in range(config.synthetic_heads):
        yield Progress(count, config.synthetic_heads, "drawing synthetic heads")
        head = prepare(synthetic_study(_FIRST_SYNTHETIC_SEED + count), config.preprocessing)
        heads += [] if head is None else [head]
    return heads


def _conclude_epoch(
    trainer: Trainer, held_out: list[PreparedStudy], out: Path, record: TrainingRecord
) -> Generator[Progress | Notice, None, None]:
    """Validate the pending epoch, keep the checkpoint if it is the best, save the state, write the log."""
    config, row = trainer.config, dict(trainer.pending or {})
    speed = row.pop("examples", 0.0) / row["seconds"]
    last = trainer.epoch == config.epochs
    if held_out and (last or trainer.epoch % config.validate_every == 0):
        dice = [row[0] for row in (yield from trainer.dice_at(held_out, [config.threshold])).values()]
        row |= {"mean_dice": fmean(dice), "median_dice": median(dice), "worst_dice": min(dice)}
    measured = row.get("mean_dice", trainer.best) if held_out else float(trainer.epoch)
    if config.keep_last or measured > trainer.best:
        trainer.best = max(measured, trainer.best)
        card = ModelCard(
            name=out.resolve().name,
            target=config.target,
            network=config.network,
            preprocessing=config.preprocessing,
            inference=config.inference,
            postprocessing=PostprocessingConfig(threshold=config.threshold),
            training=record.model_copy(update={"epoch": trainer.epoch}),
            licence=trainer.licence,
            created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
        if trainer.processes.first:
            save_checkpoint(out, trainer.averaged, card)
    trainer.history.append(row)
    trainer.pending = None
    if trainer.processes.first:
        trainer.save(out / STATE)
        write_log(out, trainer.history)
    scores = f", Dice {row['mean_dice']:.3f} (median {row['median_dice']:.3f})" if "mean_dice" in row else ""
    yield EpochFinished(
        f"epoch {trainer.epoch} of {config.epochs}: loss {row['loss']:.3f}{scores}, {row['seconds']:.0f} s, "
        f"{speed:.3g} examples a second",
        row,
    )


def _score_best(data: Folders, out: Path, device: str, sequences: Channels) -> Generator[Progress | Notice, None, None]:
    """Score the kept checkpoint on the patients it never saw and write the scores into its card."""
    checkpoint = load_checkpoint(out)
    held_out = checkpoint.card.training.held_out
    if not held_out:
        return
    evaluation = yield from relay(evaluate(checkpoint, data, patients=held_out, device=device, sequences=sequences))
    scores = {
        ("held_out" if setting == "all sequences" else f"held_out, {setting}"): card_scores(summary)
        for setting, summary in evaluation.summaries.items()
    }
    save_checkpoint(out, checkpoint.network(), checkpoint.card.model_copy(update={"scores": scores}))


def card_scores(summary: Summary) -> dict[str, Any]:
    """The part of a summary that belongs in a card: means over patients with intervals, and lesions by size."""
    averaged = {"mean_dice", "sensitivity", "false_positives_per_scan", "lesion_dice", "lesion_hd95", "ece"}
    content = summary.model_dump(
        mode="json", include=averaged | {"patients", "scans", "median_dice", "worst_dice", "unit", "intervals", "sizes"}
    )
    return content | {"intervals": {key: content["intervals"][key] for key in sorted(averaged)}}


def _record(trainer: Trainer, split: Split, trained_on: set[str], command: str) -> TrainingRecord:
    packages = ["napari-metseg", "torch", "segmentation-models-pytorch", "timm", "opencv-python-headless"]
    if trainer.config.preprocessing.brain is not None:
        packages += ["deepbet", "simpleitk"]
    return TrainingRecord(
        command=command,
        config=trainer.config.model_dump(mode="json"),
        patients=tuple(sorted({*trained_on, *trainer.seen_by_parent})),
        held_out=tuple(name for name in split.held_out if name not in trainer.seen_by_parent),
        parent=trainer.parent,
        data=trainer.config.data_source,
        versions={package: version(package) for package in packages},
    )
