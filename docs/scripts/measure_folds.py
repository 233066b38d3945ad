r"""How well do the folds of a recipe find lesions, at several thresholds, alone and averaged with other recipes?

    python docs/scripts/measure_folds.py --data DIR --keep DIR [--thresholds 0.3 0.5] [--figure PNG] \
        RUNS [RUNS …] [RUNS+RUNS …]

RUNS is a folder of ``fold_0``, ``fold_1``, … of ``metseg train``, or one of these; every patient is segmented by the
fold that never saw it, averaged with its mirror image. ``A+B`` is the mean of two recipes' probabilities, over the
patients that both held out. The probabilities are kept in the folder, so that another question needs no network. The
figure shows lesions found against false positives, and by size at the first threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from operator import and_
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import load_checkpoint
from metseg.inference import Segmenter
from metseg.lesions import PostprocessingConfig, mask_from_probabilities
from metseg.metrics import Summary, score_scan, summarise
from metseg.preprocessing import Clahe
from metseg.study import find_studies, load

Scan = tuple[str, npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def checkpoints(run: Path) -> list[Path]:
    """The folds of a run that are finished enough to have weights."""
    return sorted(path.parent for path in [*run.glob("model.safetensors"), *run.glob("fold_*/model.safetensors")])


def segmented(folder: Path, data: Path, keep: Path, clahe: str) -> dict[str, Scan]:
    """By scan: its patient, the known mask, and the probabilities of the network in ``folder``, which never saw it."""
    checkpoint = load_checkpoint(folder)
    card = checkpoint.card.with_clahe(clahe)
    card = card.model_copy(update={"inference": card.inference.model_copy(update={"mirror": True})})
    kept = keep / f"{checkpoint.sha256[:12]}_{clahe}"
    kept.mkdir(parents=True, exist_ok=True)
    scans: dict[str, Scan] = {}
    with Segmenter(replace(checkpoint, card=card)) as segmenter:
        for files in find_studies(data):
            if files.patient not in card.training.held_out:
                continue
            for study in load(files).studies:
                if study.mask is None:
                    continue
                path = kept / f"{study.name}.npy"
                if not path.exists():
                    np.save(path, segmenter.segment(study).probabilities.astype(np.float16))
                scans[study.name] = str(files.patient), study.mask, np.load(path).astype(np.float32)
    return scans


def of_recipe(name: str, data: Path, keep: Path, clahe: str) -> dict[str, Scan]:
    """All scans of a recipe, or of the mean of several."""
    members: list[dict[str, Scan]] = []
    for run in name.split("+"):
        scans: dict[str, Scan] = {}
        for folder in checkpoints(Path(run)):
            scans |= segmented(folder, data, keep, clahe)
        members.append(scans)
    common = reduce(and_, (member.keys() for member in members))
    return {
        scan: (*members[0][scan][:2], np.mean([member[scan][2] for member in members], axis=0))
        for scan in sorted(common)
    }


def summaries(
    scans: dict[str, Scan], thresholds: list[float], smallest: int, peak: float = 0.0
) -> Iterator[tuple[float, Summary]]:
    """Scores at each threshold."""
    for threshold in thresholds:
        postprocessing = PostprocessingConfig(threshold=threshold, min_lesion_voxels=smallest, peak=peak)
        yield (
            threshold,
            summarise(
                score_scan(
                    name,
                    truth,
                    mask_from_probabilities(probabilities, postprocessing),
                    patient=patient,
                    probabilities=probabilities if threshold == thresholds[0] else None,
                    min_lesion_voxels=smallest,
                )
                for name, (patient, truth, probabilities) in scans.items()
            ),
        )


def draw(summaries: dict[str, Summary], path: Path) -> None:
    """Free-response ROC, and the share of lesions found by size, with intervals over patients."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    curve, bars = figure.subplots(1, 2)
    for index, (name, summary) in enumerate(summaries.items()):
        points = [point for point in summary.froc if point.false_positives <= 10]
        curve.plot(
            [point.false_positives for point in points],
            [point.sensitivity for point in points],
            marker=".",
            label="/".join(Path(name).parts[-2:]),
        )
        places = np.arange(len(summary.sizes)) + index / (len(summaries) + 1)
        values = np.array([size.sensitivity for size in summary.sizes])
        spans = np.array([[size.interval.low, size.interval.high] for size in summary.sizes]).T
        bars.bar(
            places,
            values,
            1 / (len(summaries) + 1),
            yerr=np.clip(np.abs(spans - values), 0, 1),
            capsize=3,
            label="/".join(Path(name).parts[-2:]),
        )
        bars.set_xticks(
            np.arange(len(summary.sizes)), [f"{size.name}\n{size.reference} lesions" for size in summary.sizes]
        )
    curve.set(xlabel="false positives a scan", ylabel="lesions found, by patient", ylim=(0, 1), xlim=(0, 10))
    bars.set(ylabel="found, by patient", ylim=(0, 1))
    curve.grid(alpha=0.3)
    curve.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Segment, score, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("runs", nargs="+")
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--keep", type=Path, required=True)
    options.add_argument("--thresholds", type=float, nargs="+", default=[0.2, 0.3, 0.4, 0.5, 0.6])
    options.add_argument("--smallest", type=int, default=3)
    options.add_argument("--peak", type=float, default=0.0)
    options.add_argument("--clahe", choices=[str(choice) for choice in Clahe], default="off")
    options.add_argument("--figure", type=Path)
    given = options.parse_args()
    drawn: dict[str, Summary] = {}
    print("| network | patients | threshold | found, by patient | Dice | lesion Dice | false a scan | found by size |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in given.runs:
        scans = of_recipe(name, given.data, given.keep, given.clahe)
        for threshold, summary in summaries(scans, given.thresholds, given.smallest, given.peak):
            drawn.setdefault(name, summary)
            span = summary.intervals["sensitivity"]
            sizes = ", ".join(f"{size.found} of {size.reference}" for size in summary.sizes)
            print(
                f"| {name} | {summary.patients} | {threshold:g} | {summary.sensitivity:.3f} ({span.low:.2f} to "
                f"{span.high:.2f}) | {summary.mean_dice:.3f} | {summary.lesion_dice:.3f} | "
                f"{summary.false_positives_per_scan:.2f} | {sizes} |"
            )
    if given.figure is not None:
        draw(drawn, given.figure)


if __name__ == "__main__":
    main()
