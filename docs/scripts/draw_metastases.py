"""Pictures of the best, median and worst held-out patient of a recipe: known mask and outline on three slices each.

python docs/scripts/draw_metastases.py --data DIR --keep DIR --threshold 0.6 --out PNG RUNS

RUNS and --keep are those of measure_folds.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from measure_folds import of_recipe, summaries

from metseg.lesions import PostprocessingConfig, mask_from_probabilities
from metseg.study import find_studies, load


def main() -> None:
    """Score, choose, draw."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("runs")
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--keep", type=Path, required=True)
    options.add_argument("--threshold", type=float, default=0.5)
    options.add_argument("--smallest", type=int, default=3)
    options.add_argument("--peak", type=float, default=0.0)
    options.add_argument("--out", type=Path, required=True)
    given = options.parse_args()
    scans = of_recipe(given.runs, given.data, given.keep, "off")
    ((_, summary),) = summaries(scans, [given.threshold], given.smallest, given.peak)
    ordered = sorted(summary.scores, key=lambda patient: patient.dice)
    chosen = {"best": ordered[-1], "median": ordered[len(ordered) // 2], "worst": ordered[0]}
    figure = Figure(figsize=(9, 9.6), layout="constrained", facecolor="black")
    axes = figure.subplots(3, 3)
    for row, (which, patient) in zip(axes, chosen.items(), strict=True):
        name = patient.scans[0].name
        _, truth, probabilities = scans[name]
        drawn = mask_from_probabilities(
            probabilities,
            PostprocessingConfig(threshold=given.threshold, min_lesion_voxels=given.smallest, peak=given.peak),
        )
        (study,) = (
            study
            for files in find_studies(given.data / patient.name)
            for study in load(files).studies
            if study.name == name
        )
        image = study.voxels[0].astype(np.float32)
        bright = np.percentile(image[image > 0], 99.5)
        largest = np.argsort((truth > 0).sum(axis=(1, 2)))[::-1]
        for axis, z in zip(row, sorted(largest[[0, 2, 4]]), strict=True):
            axis.imshow(image[z], cmap="gray", vmin=0, vmax=bright, aspect=1.18)
            axis.contour(truth[z] > 0, [0.5], colors="#56b4e9", linewidths=1.2)
            axis.contour(drawn[z], [0.5], colors="#e69f00", linewidths=1.2)
            axis.set_title(f"{which}: Dice {patient.dice:.2f}, slice {z + 1}", color="white", fontsize=9)
            axis.axis("off")
    figure.suptitle("known mask blue, network orange", color="white", fontsize=10)
    figure.savefig(given.out, dpi=90)
    for which, patient in chosen.items():
        print(which, patient.name, f"{patient.dice:.3f}, {patient.found} of {patient.lesions} lesions found")


if __name__ == "__main__":
    main()
