"""What more labelled patients buy: one recipe trained on 10, 20, 40 and all training patients of a fold.

    python docs/scripts/learning_curve.py --config docs/experiments/metastases.json --data DIR --out RUNS

Every network is scored on the same held-out patients; the smaller sets are parts of the larger ones. Networks that are
already in RUNS are not trained again, and one that was interrupted goes on. RUNS/learning_curve.json and
RUNS/learning_curve.png are the result.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.metrics import Summary
from metseg.training import TrainingConfig, evaluate, make_folds, train
from metseg.training.dataset import masked_patients
from metseg.training.split import Split, write_split

#: What is drawn: the score, and what it is called.
SCORES = {"sensitivity": "lesion-wise sensitivity", "mean_dice": "Dice", "false_positives_per_scan": "false positives"}


def parts(data: Path, fold: int, folds: int, sizes: list[int]) -> dict[int, Split]:
    """The split of each size, all with the same held-out patients; the last has all training patients."""
    whole = make_folds(masked_patients(data), folds, 0)[fold]
    order = np.random.default_rng(0).permutation(whole.train).tolist()
    wanted = sorted({min(size, len(order)) for size in sizes} | {len(order)})
    return {size: Split(train=tuple(sorted(order[:size])), held_out=whole.held_out) for size in wanted}


def scored(config: TrainingConfig, data: Path, out: Path, split: Split) -> Summary:
    """Train on the split, unless that is done, and score its held-out patients."""
    out.mkdir(parents=True, exist_ok=True)
    write_split(out / "split.json", split)
    drain(train(config, data, out, resume=True, score=False, command=f"learning_curve.py, {len(split.train)} patients"))
    result = drain(evaluate(load_checkpoint(out), data, patients=split.held_out))
    (summary,) = result.summaries.values()
    return summary


def draw(summaries: dict[int, Summary], path: Path) -> None:
    """Each score against the number of training patients, with its interval over the held-out ones."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(SCORES), figsize=(4 * len(SCORES), 3.2), layout="constrained")
    for axis, (key, title) in zip(axes, SCORES.items(), strict=True):
        values = [getattr(summary, key) for summary in summaries.values()]
        spans = [summary.intervals[key] for summary in summaries.values()]
        axis.fill_between(list(summaries), [span.low for span in spans], [span.high for span in spans], alpha=0.2)
        axis.plot(list(summaries), values, "o-")
        axis.set(xlabel="training patients", title=title, ylim=(0, None))
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train, score, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--patients", type=int, nargs="+", default=[10, 20, 40])
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--fold", type=int, default=0)
    given = options.parse_args()
    config = TrainingConfig.model_validate_json(given.config.read_bytes())
    summaries = {
        size: scored(config, given.data, given.out / f"patients_{size}", split)
        for size, split in parts(given.data, given.fold, given.folds, given.patients).items()
    }
    rows = {size: summary.model_dump(mode="json", exclude={"scores"}) for size, summary in summaries.items()}
    (given.out / "learning_curve.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    draw(summaries, given.out / "learning_curve.png")
    for size, summary in summaries.items():
        print(size, *(f"{title} {getattr(summary, key):.3f}" for key, title in SCORES.items()), sep="; ")


if __name__ == "__main__":
    main()
