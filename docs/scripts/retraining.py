"""Dice of networks trained on the first reviewed patients, in our order and in random ones; for simulate_review.py."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metseg.checkpoints import load_checkpoint
from metseg.comparison import find_entries
from metseg.curation.benefit import expected_benefit
from metseg.events import drain
from metseg.lesions import mask_from_probabilities
from metseg.study import write_atomically
from metseg.training import Split, TrainingConfig, train, write_split

#: Share of the held-out patients that no network here is trained on.
TEST = 1 / 3


def retrain(given: argparse.Namespace, predictions: dict[str, np.ndarray]) -> None:
    """Go on from the model with its first k reviewed patients alone; measure on patients that neither ever saw.

    Parameters
    ----------
    given : Namespace
        ``model``, ``data``, ``out``, ``device``, ``patients`` (each k), ``steps``, ``orders`` (random ones).
    predictions : dict of str to ndarray of uint8, shape (z, y, x)
        Of the model's held-out patients; 255 for probability 1.
    """
    model = find_entries(given.model)[0].models[0]
    held_out = [name for name in load_checkpoint(model).card.training.held_out if name in predictions]
    shuffled = np.random.default_rng(0).permutation(held_out).tolist()
    test, pool = shuffled[: round(len(held_out) * TEST)], sorted(shuffled[round(len(held_out) * TEST) :])
    if not test or max(given.patients) > len(pool):
        raise SystemExit(f"{len(held_out)} held-out patients: {len(test)} to test, {len(pool)} to review; ask for less")
    randomly = [np.random.default_rng(seed).permutation(pool).tolist() for seed in range(given.orders)]
    orders = {"by benefit": [in_order(model, pool, predictions)], "random": randomly}
    print(f"\nretrained for {given.steps} steps on the first k of {len(pool)} patients; {len(test)} others to test")
    found: dict[str, dict[int, list[float]]] = {}
    for name, lists in orders.items():
        found[name] = {k: [trained(given, model, order[:k], test) for order in lists] for k in given.patients}
        cells = (f"k={k} {np.mean(dice):.4f} ± {np.std(dice):.4f}" for k, dice in found[name].items())
        print(f"{name:12} " + "   ".join(cells), flush=True)
    with write_atomically(given.out / "retraining.json") as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    draw(found, given.plot.with_name(f"{given.plot.stem}_retraining{given.plot.suffix}"))


def in_order(model: str | Path, pool: list[str], predictions: dict[str, np.ndarray]) -> list[str]:
    """Patients as the review queue puts them."""
    postprocessing = load_checkpoint(model).card.postprocessing

    def rank(name: str) -> float:
        chance = predictions[name] / np.float32(255)
        return expected_benefit(mask_from_probabilities(chance, postprocessing), chance).rank

    return sorted(pool, key=rank, reverse=True)


def trained(given: argparse.Namespace, model: str | Path, reviewed: list[str], test: list[str]) -> float:
    """Mean Dice on ``test`` after training on ``reviewed``; the same patients are not trained on twice."""
    card = load_checkpoint(model).card
    started = TrainingConfig.model_validate(card.training.config)
    config = started.model_copy(
        update={
            "init": str(model),
            "encoder_weights": None,
            "folds": None,
            "fold": None,
            "epochs": 1,
            "steps_per_epoch": given.steps,
            "synthetic_heads": 0,
            "simulated_lesions": 0.0,
            "learning_rate": started.learning_rate / 3,
            "encoder_learning_rate": started.encoder_learning_rate / 3,
        }
    )
    numbers = "-".join(str(number_of(name, given.data)) for name in sorted(reviewed))
    out = given.out / "retrained" / f"{given.steps}_steps" / numbers
    out.mkdir(parents=True, exist_ok=True)
    split = out / "wanted.json"
    write_split(split, Split(train=tuple(sorted(reviewed)), held_out=tuple(sorted(test))))
    kept = out / "dice.json"
    if not kept.exists():
        path = drain(train(config, given.data, out, device=given.device, split=split, resume=True))
        scores = load_checkpoint(path).card.scores["held_out"]
        with write_atomically(kept) as temporary:
            temporary.write_text(json.dumps(scores["mean_dice"]), encoding="utf-8")
    return float(json.loads(kept.read_text(encoding="utf-8")))


def number_of(name: str, data: Path) -> int:
    """A patient's number in the data, for names of folders that stay short."""
    return sorted(path.name for path in data.iterdir()).index(name)


def draw(found: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Mean Dice against patients trained on."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axis = figure.subplots()
    for name, rows in found.items():
        values = [np.mean(dice) for dice in rows.values()]
        axis.errorbar(list(rows), values, [np.std(dice) for dice in rows.values()], label=name, marker="o", capsize=3)
    axis.set(xlabel="reviewed patients trained on", title="mean Dice on other patients")
    axis.legend()
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)
