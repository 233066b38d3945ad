"""What a network for metastases does with whole heads: false positives with the brain extracted and without.

    python docs/scripts/measure_skull.py --model RUN [--slices DIR] [--heads DIR] [--patients 10]

Heads are patients whose masks outline something else (FLAIR abnormality): a lesion predicted apart from these outlines
is a false positive, whatever touches them does not count. Each head is segmented as a user's would be, with its brain
extracted, and once more as if extraction had failed. Slices are single ones with skull and with masks of enhancing
tumours: no brain can be extracted from them. Use patients that the network was not trained on. Post-processing is that
of the card. Every patient is printed as it is measured, tables (Markdown) come last.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.inference import Segmenter, locate_brain
from metseg.lesions import label_lesions
from metseg.metrics import overlap
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Sequence, Study, StudyFiles, find_studies, load


@dataclass
class Counts:
    """Of one way or one kind of tumour: each a number a scan."""

    false: list[int]
    outside: list[int]
    dice: list[float]
    found: list[bool]

    @classmethod
    def none(cls) -> Counts:
        """Nothing yet."""
        return cls([], [], [], [])


def spread(folder: Path, count: int | None) -> list[StudyFiles]:
    """The studies of a folder, or ``count`` of them at equal distances in their order."""
    found = find_studies(folder)
    if count is None or count >= len(found):
        return found
    return [found[round(place)] for place in np.linspace(0, len(found) - 1, count)]


def on_heads(segmenter: Segmenter, heads: list[StudyFiles]) -> dict[str, Counts]:
    """Counts for both ways; predicted voxels outside the brain where that is found.

    Raises
    ------
    SystemExit
        If the network does not look for the brain.
    """
    usual = segmenter.checkpoint.card.preprocessing
    if usual.brain is None:
        raise SystemExit("this network does not look for the brain")
    failed = usual.model_copy(update={"brain": usual.brain.model_copy(update={"extraction": "none"})})
    ways = {"brain extracted": usual, "extraction failed": failed}
    counts = {way: Counts.none() for way in ways}
    for study in _studies(heads):
        if study.mask is None or Sequence.POST in study.stand_ins:
            continue
        brain = locate_brain(study, usual)
        head = study.only(Sequence.POST)
        for way, preprocessing in ways.items():
            mask = _mask(segmenter, head, preprocessing)
            counts[way].false.append(_apart(mask, study.mask))
            if brain is not None:
                counts[way].outside.append(int((mask > 0)[~brain.brain].sum()))
        print(study.name, {way: (one.false[-1], one.outside[-1:]) for way, one in counts.items()}, flush=True)
    return counts


def on_slices(segmenter: Segmenter, slices: list[StudyFiles]) -> dict[str, Counts]:
    """Counts of single slices, by kind of tumour."""
    counts: dict[str, Counts] = {}
    for study in _studies(slices):
        kind = counts.setdefault(study.name.split("_")[0], Counts.none())
        for z in study.masked_slices:
            one = replace(study.slice(z), sequences=(Sequence.POST,))
            truth = one.mask
            if truth is None:
                continue
            mask = segmenter.segment(one).mask
            kind.false.append(_apart(mask, truth))
            kind.found.append(bool((mask[truth > 0] > 0).any()))
            kind.dice.append(overlap(truth, mask).dice)
        print(study.name, len(kind.false), "slices of this kind,", sum(kind.false), "false positives", flush=True)
    return counts


def _studies(patients: list[StudyFiles]) -> Iterator[Study]:
    for files in patients:
        yield from load(files).studies


def _mask(segmenter: Segmenter, head: Study, preprocessing: PreprocessingConfig) -> npt.NDArray[np.uint8]:
    return drain(segmenter.stream(head, None, preprocessing)).mask


def _apart(mask: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8]) -> int:
    """Lesions of ``mask`` that touch nothing of ``truth``."""
    labels = label_lesions(mask)
    return len(set(np.unique(labels)) - set(np.unique(labels[truth > 0])) - {0})


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", required=True)
    options.add_argument("--heads", type=Path)
    options.add_argument("--slices", type=Path)
    options.add_argument("--patients", type=int, help="at most as many heads, and patients with slices")
    options.add_argument("--device", default="auto")
    given = options.parse_args()
    with Segmenter(load_checkpoint(given.model), device=given.device) as segmenter:
        if given.slices is not None:
            by_kind = on_slices(segmenter, spread(given.slices, given.patients))
            _print_row("slices with skull", "slices", "Dice", "tumours found", "false positives a slice")
            _print_row(*["---"] * 5)
            for kind, one in by_kind.items():
                means = (f"{np.mean(values):.2f}" for values in (one.dice, one.found, one.false))
                _print_row(kind, len(one.false), *means)
        if given.heads is not None:
            by_way = on_heads(segmenter, spread(given.heads, given.patients))
            _print_row("heads", "heads", "false positives a head", "median, most", "voxels outside the brain")
            _print_row(*["---"] * 5)
            for way, one in by_way.items():
                middle = f"{np.median(one.false):g}, {max(one.false)}"
                _print_row(way, len(one.false), f"{np.mean(one.false):.2f}", middle, f"{np.mean(one.outside):.1f}")


def _print_row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
