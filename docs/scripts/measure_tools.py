"""Measure the correction tools on patients whose true masks are known: how much better a slice gets, and how fast.

    METSEG_DATA=… python docs/scripts/measure_tools.py --model NAME_OR_FILE [--patients NAME …]

The network outlines the patients that its card names as held out. A simulated reader then draws one stroke along the
middle of a lesion, roughly, on each slice where the network did badly; every tool is compared with what the reader
would have had without it. ``--predictions`` takes probabilities from files in place of a model: ``.npz`` with one array
(z, y, x) a patient, float or unsigned, the type's largest value standing for 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from metseg.curation import tools
from metseg.lesions import label_lesions
from metseg.metrics import overlap
from metseg.study import Sequence, read_study

TOUCHING = np.ones((3, 3), bool)
SMALLEST = 30
RADII = {"3 px": 0.0, "0.6 w": 0.6, "1.0 w": 1.0}
VOLUME = (60, 256, 256)


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient: FLAIR, what the network gave (uint8), and the truth; all (z, y, x)."""

    name: str
    image: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True, eq=False)
class Target:
    """A region in one slice, and the rough line that a reader would draw through it."""

    patient: Patient
    z: int
    region: np.ndarray
    line: np.ndarray
    half_width: float

    def stroke(self, width: float) -> tools.Stroke:
        """With a brush of ``width`` half-widths; 0 is a thin one."""
        return tools.Stroke(self.line, max(2.0, width * self.half_width) if width else 3.0)


def main() -> None:
    """Print all tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="a name that `metseg models` lists, or a file")
    source.add_argument("--predictions", type=Path, nargs="+", metavar="FILE.npz")
    options.add_argument("--patients", nargs="+", metavar="NAME", help="only these")
    options.add_argument("--worse-than", type=float, default=0.8, help="slices below this Dice are corrected")
    options.add_argument("--repeats", type=int, default=200, help="random cases per tool for the timings")
    given = options.parse_args()
    if not os.environ.get("METSEG_DATA"):
        sys.exit("METSEG_DATA is not set: it names the folder that holds lgg/")
    data = Path(os.environ["METSEG_DATA"]) / "lgg"
    wanted = given.patients
    found = from_files(data, given.predictions, wanted) if given.predictions else from_model(data, given.model, wanted)
    patients = list(found)
    if not patients:
        sys.exit("there is no such patient")
    rng = np.random.default_rng(0)
    print(f"{len(patients)} patients; numbers are means; 'w' is half of the region's width")
    painting(patients, given.worse_than, rng)
    erasing(patients, rng)
    interpolating(patients, given.worse_than)
    timing(patients, given.repeats, rng)


def from_files(data: Path, files: list[Path], wanted: list[str] | None) -> Iterator[Patient]:
    """Patients of ``.npz`` files, all or those wanted."""
    for file in files:
        with np.load(file) as stored:
            for name in (name for name in stored.files if wanted is None or name in wanted):
                values = stored[name]
                full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
                yield patient(data, name, values.astype(np.float32) / full)


def from_model(data: Path, model: str, wanted: list[str] | None) -> Iterator[Patient]:
    """The patients that the model's card names as held out, or those wanted, outlined by it."""
    from metseg.checkpoints import load_checkpoint
    from metseg.events import drain
    from metseg.inference import Segmenter

    checkpoint = load_checkpoint(model)
    training = checkpoint.card.training
    names = [name for name in wanted or training.held_out if (data / name).is_dir()]
    if not wanted and not names:
        sys.exit(f"the card of {model} names no held-out patient that is here; name some with --patients")
    if seen := sorted(set(names) & set(training.patients)):
        print(f"the network was trained on {', '.join(seen)}: it does better there than on new patients")
    with Segmenter(checkpoint) as segmenter:
        for name in names:
            yield patient(data, name, drain(segmenter.stream(read_study(data / name))).probabilities)


def patient(data: Path, name: str, probabilities: np.ndarray) -> Patient:
    """Image and truth to go with what the network gave."""
    study = read_study(data / name)
    if study.mask is None:
        sys.exit(f"{name} has no masks")
    quantised = np.rint(probabilities * 255).astype(np.uint8)
    return Patient(name, study.voxels[study.channel(Sequence.FLAIR)], quantised, study.mask > 0)


def target(case: Patient, z: int, region: np.ndarray, rng: np.random.Generator) -> Target:
    """The line along the region's longer axis through the middle of its cross-sections, with a hand's trembling.

    It stops short of both ends and wanders by a fifth of the width.
    """
    places = np.argwhere(region).astype(float)
    centre = places.mean(axis=0)
    across, along = np.linalg.eigh(np.cov((places - centre).T) + 1e-6 * np.eye(2))[1].T
    position = (places - centre) @ along
    low, high = np.quantile(position, [0.075, 0.925])
    low, high = low + 0.075 * (high - low), high - 0.075 * (high - low)
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1][region]
    line, widths = [], []
    for at in np.linspace(low, high, max(2, int(np.ceil((high - low) / 4)) + 1)):
        near = np.abs(position - at) <= 1.5
        if near.any():
            line.append(np.average(places[near], axis=0, weights=depth[near] ** 2))
            widths.append(depth[np.square(places - line[-1]).sum(axis=1).argmin()])
    trembling = ndimage.gaussian_filter1d(rng.normal(size=(len(line), 2)), 1.0, axis=0, mode="nearest")
    wished = np.array(line) + 0.2 * trembling * np.minimum(widths, 15.0)[:, None]
    inside = np.array([places[np.square(places - place).sum(axis=1).argmin()] for place in wished])
    return Target(case, z, region, np.column_stack([np.full(len(inside), z), inside]), float(np.mean(widths)))


def painting(patients: list[Patient], worse_than: float, rng: np.random.Generator) -> None:
    """The guided brush against the plain brush with the same stroke."""
    hard: dict[str, list[list[float]]] = defaultdict(list)
    blind: dict[str, list[list[float]]] = defaultdict(list)
    for case in patients:
        labels = np.asarray(case.probabilities >= 128, np.uint16)
        for z in np.flatnonzero(case.truth.any(axis=(1, 2))):
            before = dice(case.truth[z], labels[z])
            missed = pieces(case.truth[z], weight=labels[z] == 0)
            if not missed:
                continue
            aim = target(case, int(z), missed[0], rng)
            for name, width in RADII.items():
                stroke = aim.stroke(width)
                blind[name].append(unseen(case, aim, stroke))
                if before < worse_than:
                    args = labels, case.image, case.probabilities, stroke, 1
                    done = [labels[z], painted(labels, stroke)[z]]
                    done += [applied(labels, tools.guided_brush(*args, redraw=redraw))[z] for redraw in (False, True)]
                    hard[name].append([dice(case.truth[z], plane) for plane in done])
    header = f"\nPaint once, slices below Dice {worse_than}: Dice of the slice"
    table(header, "brush radius", ["network", "plain brush", "guided", "guided, redraw"], hard)
    columns = ["plain brush", "guided", "next slices, copied", "next slices, guided"]
    table("\nPaint once where there is no network, all slices: Dice of the lesion", "brush radius", columns, blind)


def unseen(case: Patient, aim: Target, stroke: tools.Stroke) -> list[float]:
    """Dice of the lesion without network: plain, guided; mean over the next slices: copied, guided."""
    empty = np.zeros(case.truth.shape, np.uint16)
    after = applied(empty, tools.guided_brush(empty, case.image, None, stroke, 1, neighbours=1))
    row = [dice(aim.region, plane[aim.z]) for plane in (painted(empty, stroke), after)]
    following = []
    for z in (aim.z - 1, aim.z + 1):
        if 0 <= z < len(case.truth):
            numbered, _ = ndimage.label(case.truth[z], TOUCHING)
            same = np.unique(numbered[aim.region & (numbered > 0)])
            if len(same):
                truth = np.isin(numbered, same)
                following.append([dice(truth, after[aim.z]), dice(truth, after[z])])
    return row + (np.mean(following, axis=0).tolist() if following else [np.nan, np.nan])


def erasing(patients: list[Patient], rng: np.random.Generator) -> None:
    """A stroke with label 0 along what the network made up."""
    kinds: dict[str, dict[str, list[list[float]]]] = {"whole": defaultdict(list), "part": defaultdict(list)}
    for case in patients:
        labels = np.asarray(case.probabilities >= 128, np.uint16)
        for z in np.flatnonzero(labels.any(axis=(1, 2))):
            numbered, _ = ndimage.label(labels[z], TOUCHING)
            false = ndimage.binary_opening((labels[z] > 0) & ~case.truth[z], TOUCHING)
            for region in pieces(false):
                aim = target(case, int(z), region, rng)
                if aim.half_width < 3:
                    continue
                lesion = numbered == numbered[tuple(np.argwhere(region)[0])]
                truth = lesion & case.truth[z]
                for name, width in RADII.items():
                    stroke = aim.stroke(width)
                    made = tools.guided_brush(labels, case.image, case.probabilities, stroke, 0)
                    done = [labels, painted(labels, stroke, 0), applied(labels, made)]
                    wrong = [np.count_nonzero(((plane[z] > 0) != truth) & lesion) / region.sum() for plane in done]
                    kinds["part" if truth.any() else "whole"][name].append(wrong)
    for kind, rows in kinds.items():
        what = "a false positive" if kind == "whole" else "the false part of a true one"
        columns = ["network", "plain eraser", "guided"]
        table(f"\nErase once {what}: wrong pixels left, per false pixel", "brush radius", columns, rows)


def interpolating(patients: list[Patient], worse_than: float) -> None:
    """Leave true slices out, fill them again."""
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for case in patients:
        for gap in (2, 3, 4):
            for first in np.flatnonzero(case.truth.any(axis=(1, 2)))[::2]:
                last = int(first) + gap
                if last >= len(case.truth) or not case.truth[first : last + 1].any(axis=(1, 2)).all():
                    continue
                ends = np.zeros(case.truth.shape, np.uint16)
                ends[[first, last]] = case.truth[[first, last]]
                shape = applied(ends, tools.interpolate(ends, 1, int(first), last))
                both = applied(ends, tools.interpolate(ends, 1, int(first), last, case.probabilities))
                for z in range(int(first) + 1, last):
                    copied = case.truth[first if z - first < last - z else last]
                    done = [copied, shape[z], both[z], case.probabilities[z] >= 128]
                    row = [dice(case.truth[z], plane) for plane in done]
                    rows[f"every {gap}. slice drawn"].append(row)
                    if row[-1] < worse_than:
                        rows[f"  network below {worse_than}"].append(row)
    columns = ["nearest copied", "outlines alone", "with network", "network alone"]
    table("\nInterpolate: Dice of the slices left out", "", columns, rows)


def timing(patients: list[Patient], repeats: int, rng: np.random.Generator) -> None:
    """Wall and processor time of each tool on random lesions, random strokes among them."""
    volumes = [stacked(case) for case in patients[:8]]
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(repeats):
        for name, job in jobs(*volumes[rng.integers(len(volumes))], rng).items():
            wall, busy = time.perf_counter(), time.process_time()
            made = job()
            _ = made.indices, made.values
            taken[name].append((time.perf_counter() - wall, time.process_time() - busy))
    print(f"\nMilliseconds on {' × '.join(map(str, VOLUME[::-1]))} voxels, {repeats} random cases, load {load()}")
    print(f"{'':24}{'wall p50':>10}{'worst':>8}{'processor p50':>15}{'p99':>8}{'worst':>8}")
    for name, times in taken.items():
        wall, busy = np.array(times).T * 1000
        row = np.median(wall), wall.max(), np.median(busy), np.quantile(busy, 0.99), busy.max()
        print(f"{name:24}{row[0]:10.1f}{row[1]:8.1f}{row[2]:15.1f}{row[3]:8.1f}{row[4]:8.1f}")


def jobs(
    image: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> dict[str, Callable[[], tools.LabelEdit]]:
    """Every tool on a random lesion; one stroke in ten goes all over the slice."""
    label = int(rng.choice(np.unique(labels[labels > 0])))
    places = np.argwhere(labels == label)
    first, last = int(places[0, 0]), int(places[-1, 0])
    a, b = (tuple(places[i].tolist()) for i in (0, rng.integers(1, len(places))))
    middle = int(places[len(places) // 2, 0])
    inside = places[places[:, 0] == middle, 1:]
    path = rng.uniform(0, 256, (12, 2)) if rng.random() < 0.1 else inside[rng.integers(len(inside), size=6)]
    stroke = tools.Stroke(np.column_stack([np.full(len(path), middle), path]), float(rng.uniform(1, 20)))
    brush = labels, image, probabilities, stroke
    return {
        "guided brush": lambda: tools.guided_brush(*brush, label),
        "guided brush, 5 slices": lambda: tools.guided_brush(*brush, label, neighbours=2),
        "guided eraser": lambda: tools.guided_brush(*brush, 0),
        "grow": lambda: tools.grow(labels, probabilities, label),
        "shrink": lambda: tools.shrink(labels, probabilities, label),
        "interpolate": lambda: tools.interpolate(labels, label, first, last, probabilities),
        "split": lambda: tools.split(labels, label, a, b),
        "separate": lambda: tools.separate(labels),
        "merge": lambda: tools.merge(labels, np.unique(labels[labels > 0]).tolist()),
        "delete": lambda: tools.delete(labels, label),
        "relabel": lambda: tools.relabel(labels, label, 60000),
    }


def stacked(case: Patient) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, probabilities and lesions of a patient, repeated or cut along z to the size that the timings speak of."""
    slices = np.arange(VOLUME[0]) % len(case.image)
    image, probabilities = case.image[slices], case.probabilities[slices]
    labels = label_lesions(probabilities >= 128)
    few = np.bincount(labels.ravel()) < 2
    return image, probabilities, np.where(few[labels], 0, labels).astype(np.uint16)


def pieces(mask: np.ndarray, weight: np.ndarray | None = None) -> list[np.ndarray]:
    """Pieces of a slice's mask with enough pixels, those with most of ``weight`` first."""
    numbered, number = ndimage.label(mask, TOUCHING)
    regions = [numbered == i for i in range(1, number + 1)]
    regions = [region for region in regions if region.sum() >= SMALLEST]
    return sorted(regions, key=lambda region: -int(region.sum() if weight is None else weight[region].sum()))


def painted(labels: np.ndarray, stroke: tools.Stroke, label: int = 1) -> np.ndarray:
    """What the plain brush makes of the stroke."""
    copy = labels.copy()
    for z in stroke.slices():
        copy[z][stroke.distance(z, (slice(0, labels.shape[1]), slice(0, labels.shape[2]))) <= stroke.radius] = label
    return copy


def applied(labels: np.ndarray, made: tools.LabelEdit) -> np.ndarray:
    """A changed copy."""
    copy = labels.copy()
    made.apply(copy)
    return copy


def dice(truth: np.ndarray, found: np.ndarray) -> float:
    """Dice of two slices."""
    return overlap(truth, found).dice


def load() -> str:
    """How busy the machine is."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors" if hasattr(os, "getloadavg") else "unknown"


def table(title: str, first: str, columns: list[str], rows: dict[str, list[list[float]]]) -> None:
    """Means a row, and how many cases it is of."""
    print(title)
    print(f"{first:22}{'cases':>7}" + "".join(f"{column:>{len(column) + 3}}" for column in columns))
    for name, values in rows.items():
        means = np.nanmean(np.array(values), axis=0)
        cells = "".join(f"{mean:{len(column) + 3}.3f}" for mean, column in zip(means, columns, strict=True))
        print(f"{name:22}{len(values):7}{cells}", flush=True)


if __name__ == "__main__":
    main()
