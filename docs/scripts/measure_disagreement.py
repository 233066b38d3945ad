"""Does the disagreement of networks tell false positives from true ones? On held-out patients with known masks.

python docs/scripts/measure_disagreement.py --predictions ONE.npz OTHER.npz --data DIR

The files are those of ``simulate_review.py``, of networks that never saw the patients. Lesions are those of the mean of
their probabilities; one that touches no true lesion is false. What is printed is the chance that a false positive has
more of something than a true one: the area under the ROC curve.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu
from simulate_review import from_files, true_mask

from metseg.curation import LesionRow, lesion_rows
from metseg.lesions import PostprocessingConfig, label_lesions, mask_from_probabilities

MEASURES = {
    "disagreement in the lesion": lambda row: row.disagreement,
    "1 - mean probability": lambda row: 1 - row.lesion.mean_probability,
    "small size": lambda row: -row.lesion.n_voxels,
    "entropy in and around": lambda row: row.uncertainty,
}


def main() -> None:
    """Print the areas."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", nargs="+", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    members = [network.predictions for network in from_files(given.predictions)]
    true: list[LesionRow] = []
    false: list[LesionRow] = []
    for name in members[0]:
        said = np.array([one[name] / np.float32(255) for one in members])
        truth = true_mask(given.data, name)
        for row, touched in lesions(said, truth):
            (true if touched else false).append(row)
    print(f"{len(true) + len(false)} lesions, {len(false)} false")
    for title, measure in MEASURES.items():
        more = mannwhitneyu([measure(row) for row in false], [measure(row) for row in true]).statistic
        print(f"{title:28}{more / (len(true) * len(false)):.3f}")


def lesions(said: np.ndarray, truth: np.ndarray) -> list[tuple[LesionRow, bool]]:
    """Lesions of the mean of what members ``said``, (member, z, y, x), and whether they touch a true one."""
    chance = said.mean(axis=0)
    labels = label_lesions(mask_from_probabilities(chance, PostprocessingConfig()))
    rows = lesion_rows(labels, probabilities=chance, disagreement=said.max(axis=0) - said.min(axis=0))
    return [(row, bool(truth[labels == row.lesion.id].any())) for row in rows]


if __name__ == "__main__":
    main()
