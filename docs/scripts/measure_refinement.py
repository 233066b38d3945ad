"""Does refining outlines help? Smoothing across slices, edge-aware refinement and filters, on held-out patients.

python docs/scripts/measure_refinement.py --model RUNS --data DIR

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is segmented by weights that never saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from held_out import asked_for, held_out, print_table
from scipy import ndimage
from scipy.special import expit, logit
from skimage.segmentation import random_walker

from metseg.checkpoints import InferenceConfig
from metseg.inference import Segmenter
from metseg.lesions import GuidedFilter, PostprocessingConfig, guided_filter, mask_from_probabilities
from metseg.metrics import ScanScore, score_scan
from metseg.study import Sequence, Study

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
Refinement = Callable[[Float, Float], Mask]


def cut(probabilities: Float, threshold: float = 0.5, smallest: int = 0) -> Mask:
    """Mask by the function that every front end uses."""
    return mask_from_probabilities(probabilities, PostprocessingConfig(threshold=threshold, min_lesion_voxels=smallest))


def across(probabilities: Float, share: float) -> Float:
    """Mean of logits with both neighbouring slices, each weighing ``share``."""
    logits = logit(np.clip(probabilities, 1e-4, 1 - 1e-4))
    smooth = ndimage.correlate1d(logits, [share, 1 - 2 * share, share], axis=0, mode="nearest")
    return np.asarray(expit(smooth), np.float32)


def walked(probabilities: Float, flair: Float, beta: float) -> Mask:
    """Random walker (Grady 2006) from sure voxels through unsure ones, slice by slice."""
    mask = cut(probabilities)
    for z in np.flatnonzero(((probabilities > 0.1) & (probabilities < 0.9)).any((1, 2))):
        seeds = np.zeros(probabilities.shape[1:], np.int32)
        seeds[probabilities[z] >= 0.9], seeds[probabilities[z] <= 0.1] = 1, 2
        if (seeds == 1).any():
            mask[z] = random_walker(flair[z], seeds, beta=beta, mode="cg_j") == 1
    return mask


def refinements() -> dict[str, Refinement]:
    """What is tried, by the name it has in the table; the first is what all others are held against."""
    tried: dict[str, Refinement] = {"threshold 0.5, nothing else": _cut}
    for threshold in (0.3, 0.4, 0.6):
        tried[f"threshold {threshold}"] = partial(_cut, threshold=threshold)
    for smallest in (10, 20, 30, 50, 100):
        tried[f"without lesions under {smallest} voxels"] = partial(_cut, smallest=smallest)
    for share in (0.1, 0.2):
        tried[f"neighbouring slices weigh {share}"] = partial(_across, share=share)
    for radius, tolerance in ((3, 3e-4), (5, 1e-4), (5, 3e-4), (5, 3e-3), (8, 3e-4)):
        settings = GuidedFilter(radius=radius, tolerance=tolerance)
        tried[f"guided filter, radius {radius}, tolerance {tolerance:g}"] = partial(_guided, settings=settings)
    tried["mean over radius 2, whatever the image"] = _blurred
    for beta in (30, 130):
        tried[f"random walker, beta {beta}"] = partial(walked, beta=beta)
    return tried


def _cut(probabilities: Float, _: Float, threshold: float = 0.5, smallest: int = 0) -> Mask:
    return cut(probabilities, threshold, smallest)


def _across(probabilities: Float, _: Float, share: float) -> Mask:
    return cut(across(probabilities, share))


def _guided(probabilities: Float, flair: Float, settings: GuidedFilter) -> Mask:
    return cut(guided_filter(probabilities, flair, settings))


def _blurred(probabilities: Float, _: Float) -> Mask:
    return cut(ndimage.uniform_filter(probabilities, (1, 5, 5)))


def segmented(model: str, data: Path, device: str) -> Iterator[tuple[Study, Float]]:
    """Every held-out patient with the probabilities of the weights that never saw it."""
    for checkpoint, patients in held_out(model, data):
        card = checkpoint.card.model_copy(update={"inference": InferenceConfig()})
        with Segmenter(replace(checkpoint, card=card), device=device) as segmenter:
            for study in patients:
                yield study, segmenter.segment(study).probabilities


def main() -> None:
    """Print one line for each refinement."""
    given = asked_for(__doc__).parse_args()

    tried = refinements()
    scores: dict[str, list[ScanScore]] = {name: [] for name in tried}
    for study, probabilities in segmented(given.model, given.data, given.device):
        flair = study.select((Sequence.FLAIR,))[0].astype(np.float32)
        flair /= max(float(np.percentile(flair, 99.5)), 1.0)
        if study.mask is None:
            continue
        for name, refine in tried.items():
            scores[name].append(score_scan(study.name, study.mask, refine(probabilities, flair)))
    print_table(scores)


if __name__ == "__main__":
    main()
