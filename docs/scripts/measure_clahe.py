"""Measure networks with CLAHE on, off and averaged, on the patients of one fold, and print a table.

    METSEG_DATA=DATA python docs/scripts/measure_clahe.py --model attention_unet --model best

Every row names the command that measures the same number alone.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.metrics import compare_paired
from metseg.preprocessing import Clahe
from metseg.training import evaluate
from metseg.training.dataset import masked_patients
from metseg.training.split import make_folds

_FOLDS, _SEED = 5, 0


def main() -> None:
    """Measure as the command line says."""
    given = _arguments()
    data = Path(os.environ["METSEG_DATA"]) / given.data
    patients = make_folds(masked_patients(data), _FOLDS, _SEED)[given.fold].held_out[:: given.every]
    print(f"{len(patients)} patients of fold {given.fold}: {' '.join(patients)}\n")
    print("| network | CLAHE | Dice, mean | median | worst | against its card (95 % interval) | trained on | CPU s |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in given.model:
        checkpoint = load_checkpoint(name)
        own = checkpoint.card.clahe
        usual: list[float] = []
        for choice in (own, *(choice for choice in map(Clahe, given.clahe) if choice is not own)):
            started = time.process_time()
            found = drain(evaluate(checkpoint.with_clahe(choice), data, patients=patients, flair_alone=False))
            summary = found.summaries["all sequences"]
            dice = [score.dice for score in summary.scores]
            usual = usual or dice
            against = "" if choice is own else _difference(dice, usual)
            print(
                f"| `{name}` | {choice} | {summary.mean_dice:.3f} | {summary.median_dice:.3f} "
                f"| {summary.worst_dice:.3f} | {against} | {len(found.seen)} of {len(patients)} "
                f"| {time.process_time() - started:.0f} |",
                flush=True,
            )


def _difference(dice: list[float], usual: list[float]) -> str:
    test = compare_paired(dice, usual)
    return f"{test.difference:+.3f} ({test.interval.low:+.3f} to {test.interval.high:+.3f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", required=True, help="name or path; may be repeated")
    parser.add_argument("--data", default="lgg", help="folder below METSEG_DATA (lgg)")
    parser.add_argument("--fold", type=int, default=2, help="of the five folds of seed 0 (2)")
    parser.add_argument("--every", type=int, default=1, help="every so many patients of it (1)")
    parser.add_argument("--clahe", nargs="+", choices=list(Clahe), default=list(Clahe), help="what to measure (all)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
