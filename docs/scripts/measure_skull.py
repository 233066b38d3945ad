"""What a network for metastases does with whole heads: false positives with the brain extracted and without.

    python docs/scripts/measure_skull.py --model RUN --heads DIR [--slices DIR] [--threshold 0.5] [--smallest 3]

Heads are patients whose masks outline something else (FLAIR abnormality): a lesion predicted apart from these outlines
is a false positive, whatever touches them does not count. Each head is segmented as a user's would be, with its brain
extracted, and once more as if extraction had failed. Slices are single ones with skull and with masks of enhancing
tumours. Use patients that the network was not trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.inference import Segmenter, locate_brain
from metseg.lesions import PostprocessingConfig, label_lesions
from metseg.metrics import overlap
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Sequence, Study, find_studies, load


def on_heads(segmenter: Segmenter, heads: Path, postprocessing: PostprocessingConfig) -> None:
    """Print false positives a head, and predicted voxels outside the brain, for both ways."""
    usual = segmenter.checkpoint.card.preprocessing
    if usual.brain is None:
        raise SystemExit("this network does not look for the brain")
    failed = usual.model_copy(update={"brain": usual.brain.model_copy(update={"extraction": "none"})})
    false: dict[str, list[int]] = {}
    outside: dict[str, list[int]] = {}
    for files in find_studies(heads):
        for study in load(files).studies:
            if study.mask is None or Sequence.POST in study.stand_ins:
                continue
            brain = locate_brain(study, usual)
            head = study.only(Sequence.POST)
            for way, preprocessing in {"brain extracted": usual, "as if extraction failed": failed}.items():
                mask = _mask(segmenter, head, postprocessing, preprocessing)
                labels = label_lesions(mask)
                apart = set(np.unique(labels)) - set(np.unique(labels[study.mask > 0])) - {0}
                false.setdefault(way, []).append(len(apart))
                outside.setdefault(way, []).append(0 if brain is None else int((mask > 0)[~brain.brain].sum()))
    for way, counts in false.items():
        print(
            f"{way}: {len(counts)} heads, {np.mean(counts):.2f} false positives a head (median {np.median(counts):g}, "
            f"most {max(counts)}); {np.mean(outside[way]):.1f} voxels a head outside the brain"
        )


def _mask(
    segmenter: Segmenter, head: Study, postprocessing: PostprocessingConfig, preprocessing: PreprocessingConfig
) -> npt.NDArray[np.uint8]:
    return drain(segmenter.stream(head, postprocessing, preprocessing)).mask


def on_slices(segmenter: Segmenter, slices: Path, postprocessing: PostprocessingConfig) -> None:
    """Print Dice, tumours found and false positives of single slices, by kind of tumour."""
    rows: dict[str, list[tuple[float, bool, int]]] = {}
    for files in find_studies(slices):
        for study in load(files).studies:
            for z, file in enumerate(study.slices):
                if file.mask is None or study.mask is None:
                    continue
                one = replace(study.slice(z), sequences=(Sequence.POST,))
                mask = segmenter.segment(one, postprocessing).mask
                truth = study.mask[z : z + 1]
                labels = label_lesions(mask)
                false = len(set(np.unique(labels)) - set(np.unique(labels[truth > 0])) - {0})
                found = bool((mask[truth > 0] > 0).any())
                rows.setdefault(study.name.split("_")[0], []).append((overlap(truth, mask).dice, found, false))
    for kind, of_kind in rows.items():
        dice, hits, extra = zip(*of_kind, strict=True)
        print(
            f"{kind}: {len(of_kind)} slices, Dice {np.mean(dice):.3f}, found {np.mean(hits):.2f}, "
            f"{np.mean(extra):.2f} false positives a slice"
        )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", required=True)
    options.add_argument("--heads", type=Path)
    options.add_argument("--slices", type=Path)
    options.add_argument("--threshold", type=float, default=0.5)
    options.add_argument("--smallest", type=int, default=3)
    options.add_argument("--device", default="auto")
    given = options.parse_args()
    postprocessing = PostprocessingConfig(threshold=given.threshold, smallest=given.smallest)
    with Segmenter(load_checkpoint(given.model), device=given.device) as segmenter:
        if given.heads is not None:
            on_heads(segmenter, given.heads, postprocessing)
        if given.slices is not None:
            on_slices(segmenter, given.slices, postprocessing)


if __name__ == "__main__":
    main()
