"""Does it help to carry lesions over to the next slice, and does it hang on the settings? On held-out patients.

python docs/scripts/measure_slice_propagation.py --model RUNS --data DIR

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is segmented by weights that never saw it.
Outlines are refined along edges, and lesions under 20 voxels dropped.
"""

from __future__ import annotations

from dataclasses import replace

from held_out import asked_for, held_out, print_table

from metseg.inference import Segmenter
from metseg.lesions import (
    GuidedFilter,
    PostprocessingConfig,
    SlicePropagation,
    mask_from_probabilities,
    propagate_slices,
)
from metseg.metrics import ScanScore, score_scan
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence

#: Settings by the name they have in the table; the first is what all others are held against.
TRIED = {
    "not continued": None,
    "continued": SlicePropagation(),
    **{f"separation {share}": SlicePropagation(separation=share) for share in (0.8, 0.9)},
    **{f"drawn {share}": SlicePropagation(overlap=share) for share in (0.15, 0.5)},
    **{f"alike {share}": SlicePropagation(similarity=share) for share in (0.4, 0.6)},
    **{f"carried {share}": SlicePropagation(probability=share) for share in (0.3, 0.7)},
}


def main() -> None:
    """Print one line for each setting, and the patients whom the first changes."""
    given = asked_for(__doc__).parse_args()
    scores: dict[str, list[ScanScore]] = {name: [] for name in TRIED}
    for checkpoint, patients in held_out(given.model, given.data):
        inference = checkpoint.card.inference.model_copy(
            update={"refinement": GuidedFilter(), "slice_propagation": None}
        )
        card = checkpoint.card.model_copy(update={"inference": inference})
        with Segmenter(replace(checkpoint, card=card), device=given.device) as segmenter:
            for study in patients:
                probabilities = segmenter.segment(study).probabilities
                sequences = [Sequence(name) for name in card.preprocessing.sequences]
                image = Preprocessor(card.preprocessing, study.select(sequences)).windowed
                for name, settings in TRIED.items():
                    changed = propagate_slices(probabilities, image, settings) if settings else probabilities
                    mask = mask_from_probabilities(changed, PostprocessingConfig(min_lesion_voxels=20))
                    if study.mask is not None:
                        scores[name].append(score_scan(study.name, study.mask, mask))
    print_table(scores)
    for before, after in zip(scores["not continued"], scores["continued"], strict=True):
        if abs(after.dice - before.dice) >= 0.0005:
            print(f"{before.name}: {before.dice:.3f} to {after.dice:.3f}")


if __name__ == "__main__":
    main()
