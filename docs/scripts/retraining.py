"""Dice of networks retrained on the first reviewed patients, in our order and in random ones; for simulate_review.py.

The settings are those of ``metseg retrain``, but for one epoch of ``--steps`` steps, without synthetic heads and
simulated lesions. Each result is kept under ``--out`` as it comes; the same call goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.comparison import find_entries
from metseg.curation.benefit import expected_benefit
from metseg.events import drain
from metseg.lesions import mask_from_probabilities
from metseg.metrics import compare_paired
from metseg.retraining import RetrainingConfig
from metseg.retraining.config import child_training
from metseg.study import write_atomically
from metseg.training import Split, TrainingConfig, evaluate, train, write_split

OURS = "by benefit"

#: Least height of the plot, in Dice: differences between a handful of patients must not look larger than they are.
HEIGHT = 0.1

#: Dice by patient.
Scores = dict[str, float]


@dataclass(frozen=True, eq=False)
class Task:
    """Who is reviewed in which orders, who is shown again, and who tests."""

    given: argparse.Namespace
    parent: Checkpoint
    config: TrainingConfig
    orders: dict[str, list[str]]
    replayed: list[str]
    test: list[str]
    numbers: dict[str, int]


def retrain(given: argparse.Namespace, predictions: dict[str, np.ndarray]) -> None:
    """Retrain the model on its first k reviewed patients; measure on patients that it never saw.

    Parameters
    ----------
    given : Namespace
        ``model``, ``data``, ``out``, ``device``, ``pool``, ``patients`` (each k), ``steps``, ``learning_rate``,
        ``orders`` (random ones), ``replay`` (patients of the parent).
    predictions : dict of str to ndarray of uint8, shape (z, y, x)
        Of the model's held-out patients; 255 for probability 1.
    """
    task = planned(given, predictions)
    pool = len(task.orders[OURS])
    print(f"\nretrained for {given.steps} steps on the first k of {pool} patients and {len(task.replayed)} known ones")
    parent = score(task, [])
    tell("parent", 0, parent, parent, 0)
    found: dict[str, dict[int, Scores]] = {name: {0: parent} for name in task.orders}
    for k in given.patients:
        for name, order in task.orders.items():
            started = time.monotonic()
            found[name][k] = score(task, order[:k])
            tell(name, k, found[name][k], parent, time.monotonic() - started)
        against_random(found, k)
    means = {name: {k: float(np.mean(list(dice.values()))) for k, dice in rows.items()} for name, rows in found.items()}
    with write_atomically(given.out / "retraining.json") as temporary:
        temporary.write_text(json.dumps(means, indent=2) + "\n", encoding="utf-8")
    draw(means, given.plot.with_name(f"{given.plot.stem}_retraining{given.plot.suffix}"))


def planned(given: argparse.Namespace, predictions: dict[str, np.ndarray]) -> Task:
    """Share the held-out patients out between review and test, and put those to review into orders."""
    parent = load_checkpoint(find_entries(given.model)[0].models[0])
    record = parent.card.training
    held_out = sorted(name for name in record.held_out if name in predictions)
    if not max(given.patients) <= given.pool < len(held_out):
        raise SystemExit(f"{len(held_out)} held-out patients, {given.pool} to review: ask for fewer")
    shuffled = np.random.default_rng(0).permutation(held_out).tolist()
    pool, test = sorted(shuffled[: given.pool]), sorted(shuffled[given.pool :])
    orders = {OURS: in_order(parent, pool, predictions)}
    for seed in range(given.orders):
        orders[f"random {seed + 1}"] = np.random.default_rng(seed).permutation(pool).tolist()
    known = np.random.default_rng(0).permutation(sorted(record.patients)).tolist()
    asked = RetrainingConfig(
        project=given.out,
        parent=str(parent.path),
        out=given.out,
        epochs=1,
        steps_per_epoch=given.steps,
        **({} if given.learning_rate is None else {"learning_rate": given.learning_rate}),
    )
    config = child_training(asked, parent).model_copy(update={"synthetic_heads": 0, "simulated_lesions": 0.0})
    numbers = {path.name: place for place, path in enumerate(sorted(given.data.iterdir()))}
    return Task(given, parent, config, orders, sorted(known[: given.replay]), test, numbers)


def in_order(parent: Checkpoint, pool: list[str], predictions: dict[str, np.ndarray]) -> list[str]:
    """Patients as the review queue puts them."""

    def rank(name: str) -> float:
        chance = predictions[name] / np.float32(255)
        return expected_benefit(mask_from_probabilities(chance, parent.card.postprocessing), chance).rank

    return sorted(pool, key=rank, reverse=True)


def score(task: Task, reviewed: list[str]) -> Scores:
    """Dice on the patients to test after training on ``reviewed``; the same patients are not trained on twice."""
    name = "-".join(str(task.numbers[patient]) for patient in sorted(reviewed)) or "parent"
    out = task.given.out / "retrained" / f"{task.given.steps}_steps_{task.config.learning_rate:g}" / name
    kept = out / "dice.json"
    if not kept.exists():
        model = trained(task, reviewed, out) if reviewed else task.parent
        stream = evaluate(model, task.given.data, patients=task.test, device=task.given.device, flair_alone=False)
        rows = drain(stream).summaries["all sequences"].scores
        out.mkdir(parents=True, exist_ok=True)
        with write_atomically(kept) as temporary:
            temporary.write_text(json.dumps({row.name: row.dice for row in rows}, indent=2) + "\n", encoding="utf-8")
    scores: Scores = json.loads(kept.read_text(encoding="utf-8"))
    return scores


def trained(task: Task, reviewed: list[str], out: Path) -> Checkpoint:
    """Train on ``reviewed`` and, as often, on the patients that are shown again."""
    split = out / "wanted.json"
    write_split(split, Split(train=tuple(sorted({*reviewed, *task.replayed})), held_out=()))
    stream = train(
        task.config,
        task.given.data,
        out,
        device=task.given.device,
        split=split,
        resume=True,
        replayed=task.replayed,
        score=False,
    )
    return load_checkpoint(drain(stream))


def tell(name: str, k: int, dice: Scores, parent: Scores, seconds: float) -> None:
    """One line for a network."""
    test = compare_paired(list(dice.values()), [parent[patient] for patient in dice])
    print(
        f"k={k} {name:12} mean Dice {np.mean(list(dice.values())):.4f}, {test.difference:+.4f} to the parent "
        f"(95 % {test.interval.low:+.4f} to {test.interval.high:+.4f}), {seconds:.0f} s",
        flush=True,
    )


def against_random(found: dict[str, dict[int, Scores]], k: int) -> None:
    """Our order against the mean of the random ones, patient by patient."""
    ours = found[OURS][k]
    others = [rows[k] for name, rows in found.items() if name != OURS]
    if others:
        test = compare_paired(list(ours.values()), [float(np.mean([one[name] for one in others])) for name in ours])
        low, high = test.interval.low, test.interval.high
        print(f"k={k} ours - mean of random: {test.difference:+.4f} (95 % {low:+.4f} to {high:+.4f})", flush=True)


def draw(means: dict[str, dict[int, float]], path: Path) -> None:
    """Mean Dice against patients reviewed."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    randomly = [rows for name, rows in means.items() if name != OURS]
    for number, rows in enumerate(randomly):
        axis.plot(list(rows), list(rows.values()), "C7:", marker=".", label="random, each" if not number else None)
    if randomly:
        mean = [np.mean([rows[k] for rows in randomly]) for k in randomly[0]]
        axis.plot(list(randomly[0]), mean, "C7--", marker="o", label="random, mean")
    axis.plot(list(means[OURS]), list(means[OURS].values()), "C0-", marker="o", label=OURS)
    axis.set(xlabel="reviewed patients trained on", title="mean Dice of patients who were not reviewed")
    axis.set_xticks(list(means[OURS]))
    low, high = axis.get_ylim()
    room = max(HEIGHT - (high - low), 0) / 2
    axis.set_ylim(low - room, high + room)
    axis.grid(alpha=0.3)
    axis.legend()
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)
