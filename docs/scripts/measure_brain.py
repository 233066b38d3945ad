"""How well the brain is extracted on the post-contrast channel of whole heads, and a picture of its contours.

    python docs/scripts/measure_brain.py "$METSEG_DATA/lgg" --table brain.csv
    python docs/scripts/measure_brain.py "$METSEG_DATA/lgg" --picture brain.png --patients NAME NAME

`--summary` reads a table again and prints what the page says.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from metseg.events import Notice
from metseg.inference import find_brain
from metseg.preprocessing import BrainConfig, BrainGrid, PreprocessingConfig, head_voxels, likeness
from metseg.study import Sequence, Study, find_studies, load

CONFIG = PreprocessingConfig(sequences=("post-contrast",), brain=BrainConfig())


def found(study: Study) -> tuple[BrainGrid, str]:
    """The brain of ``study`` and the notices on the way."""
    search, notices = find_brain(study, CONFIG), []
    while True:
        try:
            event = next(search)
        except StopIteration as stop:
            return stop.value, "; ".join(notices)
        if isinstance(event, Notice):
            notices.append(event.text)


def measured(study: Study, folder: Path | None) -> dict[str, object]:
    """One row of the table."""
    post = study.voxels[study.channel(Sequence.POST)]
    flair = study.voxels[study.channel(Sequence.FLAIR)]
    wall, cpu = time.perf_counter(), time.process_time()
    grid, notices = found(study)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    laying = time.process_time()
    grid.forward(post[None])
    laying = time.process_time() - laying
    lesion = study.mask > 0
    back = grid.backward(grid.forward_mask(study.mask).astype(np.float32)) >= 0.5
    if folder is not None:
        np.savez_compressed(folder / f"{study.name}.npz", brain=grid.brain)
    return {
        "patient": study.name,
        "slices": study.shape[0],
        "has_post": int(not np.array_equal(post, flair)),
        "source": grid.source,
        "flips": "".join("zyx"[axis] for axis in range(3) if grid.flips[axis]),
        "likeness": round(likeness(grid.brain)[grid.flips], 3),
        "share_of_head": round(float(grid.brain.sum() / head_voxels(post).sum()), 3),
        "lesion_voxels": int(lesion.sum()),
        "lesion_inside": round(float(grid.brain[lesion].mean()), 4),
        "dice_there_and_back": round(float(2 * (back & lesion).sum() / (back.sum() + lesion.sum())), 4),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "laying_cpu_s": round(laying, 1),
        "notices": notices,
    }


def draw(studies: list[Study], path: Path, columns: int = 6) -> None:
    """Contours of brain (yellow) and lesion (cyan) on ``columns`` slices of each study."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(studies), columns, figsize=(2 * columns, 2.1 * len(studies)), squeeze=False)
    for row, study in zip(axes, studies, strict=True):
        grid, _ = found(study)
        post = study.voxels[study.channel(Sequence.POST)]
        first, last = np.flatnonzero(grid.brain.any((1, 2)))[[0, -1]]
        for axis, z in zip(row, np.linspace(first + 1, last - 1, columns).astype(int), strict=True):
            axis.imshow(post[z], cmap="gray", vmax=np.percentile(post, 99.7))
            for mask, colour in ((grid.brain[z], "gold"), (study.mask[z] > 0, "cyan")):
                if mask.any():
                    axis.contour(mask, [0.5], colors=colour, linewidths=0.7)
            axis.set_axis_off()
            axis.set_title(f"slice {z + 1} of {study.shape[0]}", fontsize=6, pad=2)
        row[0].set_title(f"{study.name}, slice {first + 2} of {study.shape[0]}", fontsize=5, pad=2)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=70)
    plt.close(figure)
    with Image.open(path) as image:  # 64 colours are enough, and a third of the size
        image.convert("RGB").quantize(64).save(path, optimize=True)


def summarise(table: Path) -> None:
    """Print what the page says of a table."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for title, some in (("all", rows), ("with post-contrast", [row for row in rows if row["has_post"] == "1"])):
        extracted = [row for row in some if row["source"] == "extracted"]
        inside = np.array([float(row["lesion_inside"]) for row in extracted])
        voxels = np.array([int(row["lesion_voxels"]) for row in extracted])
        print(f"{title}: {len(some)} patients, {len(extracted)} extracted")
        print(f"  lesion inside: mean {inside.mean():.4f}, median {np.median(inside):.4f}, pooled", end=" ")
        print(f"{(inside * voxels).sum() / voxels.sum():.4f}, below 0.95: {(inside < 0.95).sum()}")
        for row in sorted(extracted, key=lambda row: float(row["lesion_inside"]))[:6]:
            print("   ", row["patient"], row["lesion_inside"], "likeness", row["likeness"])
        for name in ("likeness", "share_of_head", "dice_there_and_back", "wall_s", "cpu_s", "laying_cpu_s"):
            print(f"  {name}: {np.percentile([float(row[name]) for row in some], [0, 25, 50, 75, 100])}")
    for row in rows:
        if row["source"] != "extracted" or row["flips"] != "y":
            print(row["patient"], row["source"], row["flips"], row["notices"])


def main() -> None:
    """Measure every patient of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--masks", type=Path, help="keep the brains in this folder")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--patients", nargs="*", help="just these, in the table and in the picture")
    arguments = parser.parse_args()
    if arguments.summary:
        return summarise(arguments.table)
    files = list(find_studies(arguments.data))
    files = [one for one in files if not arguments.patients or one.patient in arguments.patients]
    if arguments.picture:
        draw([study for one in files for study in load(one).studies], arguments.picture)
    if arguments.table:
        with arguments.table.open("w", newline="") as file:
            writer = None
            for study in (study for one in files for study in load(one).studies):
                row = measured(study, arguments.masks)
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
                print(row, flush=True)
    return None


if __name__ == "__main__":
    main()
