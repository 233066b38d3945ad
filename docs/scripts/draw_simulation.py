"""Draw ``docs/images/simulated_metastases.png``: simulated metastases in the synthetic head.

python docs/scripts/draw_simulation.py [--seed N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from metseg.study import Sequence
from metseg.synthetic import Insertion, MetastasisConfig, insert_metastases, synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
SEQUENCES = {"before contrast": Sequence.PRE, "FLAIR": Sequence.FLAIR, "after contrast": Sequence.POST}
COLUMNS = 5


def chosen(insertion: Insertion) -> list[int]:
    """Slices through the middle of the largest lesions, one each, from the skull base up."""
    middles: list[int] = []
    for lesion in sorted(insertion.lesions, key=lambda lesion: -lesion.diameter):
        middle = round(lesion.spec.centre[0])
        if middle not in middles and len(middles) < COLUMNS:
            middles.append(middle)
    return sorted(middles)


def draw(insertion: Insertion) -> Figure:
    """One row a sequence, one column a slice; outlines on FLAIR, the tumours' diameters above."""
    slices = chosen(insertion)
    view = slice(16, 240), slice(36, 220)
    figure = Figure(figsize=(2.4 * len(slices), 8.4), facecolor="black", layout="constrained")
    axes = np.asarray(figure.subplots(len(SEQUENCES), len(slices)))
    for row, (title, sequence) in enumerate(SEQUENCES.items()):
        volume = insertion.study.select((sequence,))[0]
        bright = float(np.percentile(volume, 99.8))
        for column, z in enumerate(slices):
            axis = axes[row, column]
            axis.imshow(volume[z][view], cmap="gray", vmin=0, vmax=bright)
            axis.set_axis_off()
            if sequence is Sequence.FLAIR:
                axis.contour(insertion.labels[z][view] > 0, [0.5], colors="#ff8c42", linewidths=0.9)
            if row == 0:
                here = [x for x in insertion.lesions if round(x.spec.centre[0]) == z]
                sizes = ", ".join(f"{lesion.diameter:.0f}" for lesion in here)
                axis.set_title(f"{sizes} mm", color="white", fontsize=11)
        axes[row, 0].text(
            0.02, 0.02, title, color="white", fontsize=10, transform=axes[row, 0].transAxes,
            path_effects=[withStroke(linewidth=3, foreground="black")],
        )  # fmt: skip
    return figure


def main() -> None:
    """Draw and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=5)
    options.add_argument("--output", type=Path, default=IMAGES / "simulated_metastases.png")
    given = options.parse_args()
    head = synthetic_study(given.seed, lesions=())
    draw(insert_metastases(head, given.seed, MetastasisConfig(count=(12, 12)))).savefig(given.output, dpi=90)
    print(given.output)


if __name__ == "__main__":
    main()
