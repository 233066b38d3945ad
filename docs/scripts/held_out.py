"""What the scripts beside this one share: patients for weights that never saw them, and a table of their scores."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Rows
from pathlib import Path

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.comparison import find_entries
from metseg.metrics import ScanScore, compare_paired, summarise
from metseg.study import Study, read_study


def asked_for(description: str | None) -> argparse.ArgumentParser:
    """Options that name the run, the data and the device."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--device", default="auto")
    return options


def held_out(model: str, data: Path) -> Iterator[tuple[Checkpoint, Iterator[Study]]]:
    """Each checkpoint of a run with the patients that it was not trained on."""
    for checkpoint in map(load_checkpoint, find_entries([model])[0].models):
        yield checkpoint, (read_study(data / name) for name in checkpoint.card.training.held_out)


def print_table(scores: Mapping[str, Rows[ScanScore]]) -> None:
    """One line for each way, with its difference to the first one on the same patients."""
    plain = next(iter(scores.values()))
    width = max(map(len, scores))
    print(f"{'':{width}}  mean  median  worst  found  false  difference (95 % interval), p")
    for way, rows in scores.items():
        s = summarise(rows)
        test = compare_paired([row.dice for row in rows], [row.dice for row in plain])
        print(
            f"{way:{width}} {s.mean_dice:.4f} {s.median_dice:.4f} {s.worst_dice:.3f}  {s.sensitivity:.3f}  "
            f"{s.false_positives_per_scan:5.2f}  {test.difference:+.4f} "
            f"({test.interval.low:+.4f} to {test.interval.high:+.4f}), {test.p_value:.3f}"
        )
