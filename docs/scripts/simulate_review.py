"""What does the order of review gain? A simulated reviewer on held-out patients whose true masks are known.

python docs/scripts/simulate_review.py --model RUNS --data DIR --out OUT [--scores | --retrain]

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is outlined by weights that never saw it.
``--predictions`` takes probabilities from files in place of the model's: ``.npz`` with one array (z, y, x) a patient,
float or unsigned, the type's largest value standing for 1. Several models or files are measured one after the other
and, on the patients they share, as one: the mean of their probabilities.

The reviewer replaces each slice that comes up by its true mask. Everything is written to OUT (probabilities are kept
there and not made twice) but the plot, ``docs/images/review_order.png``, which is of the last network measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metseg.curation.benefit import BenefitConfig, CaseBenefit, count_leading, expected_benefit
from metseg.curation.table import binary_entropy
from metseg.lesions import PostprocessingConfig, label_lesions, mask_from_probabilities
from metseg.study import find_studies, read_study, write_atomically

PLOT = Path(__file__).resolve().parents[1] / "images" / "review_order.png"
TARGET = 0.95
OURS, CASES, RANDOM, SEQUENTIAL = "by benefit", "by benefit, case after case", "random", "sequential"
DRAWN = "sequential, empty slices last"
BEST = "if the truth were known"

#: What a network gave for each patient: uint8, 255 for 1; (z, y, x).
Predictions = dict[str, np.ndarray]
#: Slices as (patient, z), in the order in which they are reviewed.
Order = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Network:
    """Predictions for patients; ``members`` where they are the mean of several networks'."""

    name: str
    predictions: Predictions
    postprocessing: PostprocessingConfig
    members: tuple[Predictions, ...] = ()


@dataclass(frozen=True, eq=False)
class Head:
    """One patient: voxels in each slice that are lesion, drawn, and both; what is wrong, and what was expected.

    ``false`` has the set of slices of each drawn lesion that touches no true one, ``missed`` that of each true lesion
    that no drawn one touches.
    """

    lesion: np.ndarray
    drawn: np.ndarray
    common: np.ndarray
    false: tuple[frozenset[int], ...]
    missed: tuple[frozenset[int], ...]
    benefit: CaseBenefit
    scores: dict[str, np.ndarray]

    @property
    def slices(self) -> int:
        """How many there are to review."""
        return len(self.lesion)


@dataclass(frozen=True, eq=False)
class Curves:
    """After 0, 1, 2, … slices: mean Dice of the patients, the lowest of them, false and missed lesions left.

    A false positive is gone when all its slices were reviewed, a missed one is found in the first of its slices.
    """

    mean: np.ndarray
    worst: np.ndarray
    false: np.ndarray
    missed: np.ndarray

    @property
    def needed(self) -> int | None:
        """Slices until the mean Dice is at the target."""
        reached = np.flatnonzero(self.mean >= TARGET)
        return int(reached[0]) if len(reached) else None


def main() -> None:
    """Print the tables and draw the plot."""
    given = options()
    given.out.mkdir(parents=True, exist_ok=True)
    networks = list(from_files(given.predictions) if given.predictions else from_models(given))
    if given.retrain:
        from retraining import retrain

        retrain(given, networks[0].predictions)
        return
    if len(networks) > 1:
        networks.append(together(networks))
    results = {}
    for network in networks:
        heads = [head(true_mask(given.data, name), network, name, given.scores) for name in network.predictions]
        found = measured(heads, given.seeds, given.scores)
        results[network.name] = show(network.name, heads, found)
    draw(found, given.plot)
    with write_atomically(given.out / "review.json") as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", metavar="RUNS")
    parser.add_argument("--predictions", nargs="+", type=Path, metavar="FILE.npz")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plot", type=Path, default=PLOT)
    parser.add_argument("--seeds", type=int, default=20, help="random orders to average over")
    parser.add_argument("--scores", action="store_true", help="also other ways to score a slice")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--retrain", action="store_true", help="instead, train --model on the first reviewed patients")
    parser.add_argument("--patients", type=int, nargs="+", default=[3, 6], help="reviewed patients to train on")
    parser.add_argument("--pool", type=int, default=9, help="held-out patients to review; the others test")
    parser.add_argument("--replay", type=int, default=12, help="patients of the model's own that are shown again")
    parser.add_argument("--steps", type=int, default=60, help="training steps")
    parser.add_argument("--learning-rate", type=float, help="by default that of metseg retrain")
    parser.add_argument("--orders", type=int, default=2, help="random orders to train on")
    given = parser.parse_args()
    if not given.model and (given.retrain or not given.predictions):
        parser.error("--model is needed")
    return given


def from_files(files: list[Path]) -> Iterator[Network]:
    """Networks of ``.npz`` files."""
    for file in files:
        with np.load(file) as stored:
            yield Network(file.stem, {name: as_bytes(stored[name]) for name in stored.files}, PostprocessingConfig())


def from_models(given: argparse.Namespace) -> Iterator[Network]:
    """Networks of runs, each patient outlined by weights that held it out; kept in ``--out`` between calls."""
    from metseg.checkpoints import load_checkpoint
    from metseg.comparison import find_entries
    from metseg.inference import Segmenter

    there = {files.name for files in find_studies(given.data)}
    for entry in find_entries(given.model):
        predictions: Predictions = {}
        for checkpoint in map(load_checkpoint, entry.models):
            kept = given.out / "probabilities" / checkpoint.sha256[:12]
            kept.mkdir(parents=True, exist_ok=True)
            with Segmenter(checkpoint, device=given.device) as segmenter:
                for name in sorted(there & set(checkpoint.card.training.held_out)):
                    file = kept / f"{name}.npy"
                    if not file.exists():
                        made = as_bytes(segmenter.segment(read_study(given.data / name)).probabilities)
                        with write_atomically(file) as temporary:
                            np.save(temporary, made)
                    predictions[name] = np.load(file)
        yield Network(entry.name, predictions, checkpoint.card.postprocessing)


def together(networks: list[Network]) -> Network:
    """The mean of several networks, on the patients that all of them have."""
    shared = [name for name in networks[0].predictions if all(name in one.predictions for one in networks)]
    members = tuple(one.predictions for one in networks)
    means = {name: as_bytes(np.mean([one[name] / 255 for one in members], axis=0)) for name in shared}
    return Network("all together", means, networks[0].postprocessing, members)


def as_bytes(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities as a project keeps them."""
    full = 1 if probabilities.dtype.kind == "f" else np.iinfo(probabilities.dtype).max
    return np.rint(probabilities.astype(np.float32) * np.float32(255 / full)).astype(np.uint8)


def true_mask(data: Path, name: str) -> np.ndarray:
    """Where the lesions of a patient are."""
    mask = read_study(data / name).mask
    if mask is None:
        raise SystemExit(f"{name} has no masks")
    return mask > 0


def head(truth: np.ndarray, network: Network, name: str, other_scores: bool) -> Head:
    """What a reviewer would find in one patient, and what is expected of it."""
    chance = network.predictions[name].astype(np.float32) / 255
    drawn = mask_from_probabilities(chance, network.postprocessing) > 0
    said = np.array([one[name] / np.float32(255) for one in network.members])
    return Head(
        lesion=per_slice(truth),
        drawn=per_slice(drawn),
        common=per_slice(truth & drawn),
        false=alone(drawn, truth),
        missed=alone(truth, drawn),
        benefit=expected_benefit(drawn, chance),
        scores=scores(drawn, chance) | disagreements(drawn, chance, said, network) if other_scores else {},
    )


def alone(mask: np.ndarray, other: np.ndarray) -> tuple[frozenset[int], ...]:
    """Slices of each lesion of ``mask`` that does not touch ``other``."""
    labels = label_lesions(mask)
    lonely = set(np.unique(labels).tolist()) - set(np.unique(labels[other]).tolist()) - {0}
    return tuple(frozenset(np.flatnonzero((labels == one).any(axis=(1, 2))).tolist()) for one in sorted(lonely))


def scores(drawn: np.ndarray, chance: np.ndarray) -> dict[str, np.ndarray]:
    """Other ways to score the slices of a patient."""
    expect = partial(expected_benefit, drawn, chance)
    plain = expect(config=BenefitConfig(small=0))
    size = drawn.sum() + chance.sum(dtype=np.float64) + 1
    entropy = per_slice(binary_entropy(chance))
    found = {
        "size of what is drawn": per_slice(drawn),
        "entropy": entropy,
        "entropy / size": entropy / size,
        "expected changes": by_z(plain, "changes"),
        "expected changes / size": by_z(plain, "changes") / size,
        "gain, no size prior": by_z(plain, "gain"),
    }
    for small in (0.02, 0.05, 0.1, 0.2):
        found[f"gain, size prior {small}"] = by_z(expect(config=BenefitConfig(small=small)), "gain")
    return found


def disagreements(drawn: np.ndarray, chance: np.ndarray, said: np.ndarray, network: Network) -> dict[str, np.ndarray]:
    """Scores of slices by how far the members, whose probabilities are ``said`` (member, z, y, x), are apart."""
    if not len(said):
        return {}
    size = drawn.sum() + chance.sum(dtype=np.float64) + 1
    spread = said.max(axis=0) - said.min(axis=0)
    contradicted = np.mean(
        [(mask_from_probabilities(one, network.postprocessing) > 0) != drawn for one in said], axis=0
    )
    information = binary_entropy(chance) - np.mean([binary_entropy(one) for one in said], axis=0)
    gain = by_z(expected_benefit(drawn, chance), "gain")
    found = {
        "disagreement": per_slice(spread),
        "disagreement / size": per_slice(spread) / size,
        "mutual information / size": per_slice(information) / size,
        "gain, mean over members": np.mean([by_z(expected_benefit(drawn, one), "gain") for one in said], axis=0),
    }
    for weight in (0.1, 0.25, 0.5, 1.0):
        apart = np.clip(chance + weight * np.where(drawn, -spread, spread), 0, 1)
        voted = chance + weight * (np.where(drawn, 1 - contradicted, contradicted) - chance)
        found[f"gain, chance moved by {weight} of disagreement"] = by_z(expected_benefit(drawn, apart), "gain")
        found[f"gain, chance mixed with {weight} of votes"] = by_z(expected_benefit(drawn, voted), "gain")
        found[f"gain + {weight} disagreement / size"] = gain + weight * per_slice(spread) / size
    return found


def by_z(benefit: CaseBenefit, what: str) -> np.ndarray:
    """Gain or changes of every slice, in their order in the volume."""
    return np.array([getattr(one, what) for one in sorted(benefit.slices, key=lambda one: one.z)])


def per_slice(values: np.ndarray) -> np.ndarray:
    """Sum over each slice."""
    return values.sum(axis=(1, 2), dtype=np.float64)


def measured(heads: list[Head], seeds: int, other_scores: bool) -> dict[str, Curves]:
    """Curves for every order."""
    everything = sequential(heads)
    shuffled = [np.random.default_rng(seed).permutation(everything).tolist() for seed in range(seeds)]
    found = {
        OURS: review(heads, by_score(heads, lambda one: by_z(one.benefit, "gain"))),
        CASES: review(heads, case_after_case(heads)),
        RANDOM: average([review(heads, order) for order in shuffled]),
        SEQUENTIAL: review(heads, everything),
        DRAWN: review(heads, sorted(everything, key=lambda place: not heads[place[0]].drawn[place[1]])),
        BEST: review(heads, by_score(heads, true_gain)),
    }
    if other_scores:
        for name in heads[0].scores:
            found[name] = review(heads, by_score(heads, lambda one, name=name: one.scores[name]))
    return found


def sequential(heads: list[Head]) -> Order:
    """Patient after patient, slice after slice."""
    return [(patient, z) for patient, one in enumerate(heads) for z in range(one.slices)]


def by_score(heads: list[Head], score: Callable[[Head], np.ndarray]) -> Order:
    """The slices of all patients, highest score first."""
    scored = [(-value, patient, z) for patient, one in enumerate(heads) for z, value in enumerate(score(one))]
    return [(patient, z) for _, patient, z in sorted(scored)]


def case_after_case(heads: list[Head]) -> Order:
    """The leading slices of each case, the cases in the order of the queue; then, in rounds, those of what is left."""
    left = dict(enumerate(one.benefit for one in heads))
    order: Order = []
    while left:
        for case in sorted(left, key=lambda case: -left[case].rank):
            slices, leading = left[case].slices, left[case].leading
            first, rest = (slices[:leading], slices[leading:]) if leading else (slices, ())
            order += [(case, one.z) for one in first]
            left[case] = replace(left[case], slices=rest, leading=count_leading(rest, BenefitConfig().leading))
        left = {case: benefit for case, benefit in left.items() if benefit.slices}
    return order


def true_gain(one: Head) -> np.ndarray:
    """Rise of the patient's Dice if a slice alone is corrected."""
    hits, together = one.common.sum(), one.drawn.sum() + one.lesion.sum()
    return 2 * (hits - one.common + one.lesion) / (together - one.drawn + one.lesion) - 2 * hits / together


def review(heads: list[Head], order: Order) -> Curves:
    """Replace slice after slice by the truth."""
    counts = np.array([[one.common.sum(), one.drawn.sum() + one.lesion.sum()] for one in heads])
    wrong = [(patient, set(lesion)) for patient, one in enumerate(heads) for lesion in one.false]
    missed = {(patient, lesion) for patient, one in enumerate(heads) for lesion in enumerate(one.missed)}
    dice = np.divide(2 * counts[:, 0], counts[:, 1], out=np.ones(len(heads)), where=counts[:, 1] > 0)
    rows = [(dice.mean(), dice.min(), len(wrong), len(missed))]
    for patient, z in order:
        one = heads[patient]
        counts[patient] += one.lesion[z] - one.common[z], one.lesion[z] - one.drawn[z]
        hits, both = counts[patient]
        dice[patient] = 2 * hits / both if both > 0 else 1.0
        for owner, slices in wrong:
            if owner == patient:
                slices.discard(z)
        missed -= {(owner, lesion) for owner, lesion in missed if owner == patient and z in lesion[1]}
        rows.append((dice.mean(), dice.min(), sum(bool(slices) for _, slices in wrong), len(missed)))
    return Curves(*np.array(rows).T)


def average(curves: list[Curves]) -> Curves:
    """Mean over orders."""
    return Curves(*(np.mean([getattr(one, what.name) for one in curves], axis=0) for what in fields(Curves)))


def show(name: str, heads: list[Head], found: dict[str, Curves]) -> dict[str, dict[str, float | int | None]]:
    """Print one network's table; return its numbers."""
    slices, leading = sum(one.slices for one in heads), sum(one.benefit.leading for one in heads)
    start = found[SEQUENTIAL].mean[0]
    expected = np.mean([one.benefit.dice for one in heads])
    after = found[CASES].mean[leading]
    print(f"\n{name}: {len(heads)} patients, {slices} slices; mean Dice {start:.3f} (expected {expected:.3f})")
    print(f"{leading} leading slices, mean Dice {after:.3f} after them")
    print(
        f"{'order':44}{'area':>8}{f'slices to {TARGET}':>16}{'Dice at 10 %':>14}{'20 %':>8}{'false left at 20 %':>20}"
        f"{'missed':>14}"
    )
    rows = {}
    for order, curves in found.items():
        tenth, fifth = slices // 10, slices // 5
        row = {
            "area": float(curves.mean.mean()),
            "needed": curves.needed,
            "dice_10": float(curves.mean[tenth]),
            "dice_20": float(curves.mean[fifth]),
            "false_20": float(curves.false[fifth]),
            "missed_20": float(curves.missed[fifth]),
        }
        needed = "never" if curves.needed is None else str(curves.needed)
        print(
            f"{order:44}{row['area']:8.4f}{needed:>16}{row['dice_10']:14.3f}{row['dice_20']:8.3f}"
            f"{row['false_20']:14.1f} of {curves.false[0]:.0f}{row['missed_20']:8.1f} of {curves.missed[0]:.0f}",
            flush=True,
        )
        rows[order] = row
    return rows


def draw(found: dict[str, Curves], path: Path) -> None:
    """Mean Dice, lowest Dice and false positives against slices reviewed."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    titles = ("mean Dice of the patients", "lowest Dice of a patient", "false positives left")
    styles = {OURS: "C0-", CASES: "C2-", RANDOM: "C7--", SEQUENTIAL: "C1--", DRAWN: "C3-.", BEST: "k:"}
    for axis, title, what in zip(axes, titles, ("mean", "worst", "false"), strict=True):
        for order, style in styles.items():
            axis.plot(getattr(found[order], what), style, label=order, linewidth=1.6)
        axis.set(title=title, xlabel="slices reviewed", xlim=(0, len(found[OURS].mean) - 1))
        axis.grid(alpha=0.3)
    axes[0].axhline(TARGET, color="k", linewidth=0.6)
    axes[0].legend(loc="lower right")
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110)


if __name__ == "__main__":
    main()
