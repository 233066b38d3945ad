"""Do two networks err alike? Agreement of held-out patients' masks with each other, beside that with the truth.

python docs/scripts/measure_shared_errors.py --model RUNS --other RUNS --data DIR

Both are runs' folders, or folders of ``fold_0``, ``fold_1``, …; patients that both held out are segmented by weights
that never saw them. What two networks get wrong alike, their mean gets wrong too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from held_out import asked_for, held_out

from metseg.inference import Segmenter
from metseg.metrics import overlap

Mask = npt.NDArray[np.uint8]


def unseen(model: str, data: Path) -> set[str]:
    """Patients that the run held out."""
    return {name for checkpoint, _ in held_out(model, data) for name in checkpoint.card.training.held_out}


def masks(model: str, data: Path, device: str, names: set[str]) -> dict[str, tuple[Mask, Mask]]:
    """The truth and what the run draws, each of shape (z, y, x), of those of ``names`` that it held out."""
    drawn: dict[str, tuple[Mask, Mask]] = {}
    for checkpoint, patients in held_out(model, data):
        with Segmenter(checkpoint, device=device) as segmenter:
            for study in patients:
                if study.name in names and study.mask is not None:
                    drawn[study.name] = study.mask, segmenter.segment(study).mask
    return drawn


def main() -> None:
    """Print the three agreements, and the share of the first run's wrong voxels that the other has wrong as well."""
    options = asked_for(__doc__)
    options.add_argument("--other", required=True)
    given = options.parse_args()
    runs = given.model, given.other
    both = set.intersection(*(unseen(model, given.data) for model in runs))
    one, other = (masks(model, given.data, given.device, both) for model in runs)
    rows = []
    for name in sorted(one):
        (truth, first), (_, second) = one[name], other[name]
        pairs = ((truth, first), (truth, second), (first, second))
        wrong, wrong_too = ((drawn > 0) != (truth > 0) for drawn in (first, second))
        rows.append([*(overlap(*pair).dice for pair in pairs), (wrong & wrong_too).sum() / wrong.sum()])
    table = np.array(rows)
    titles = ("first and truth", "other and truth", "first and other", "first's errors that other makes")
    print(f"{len(table)} patients")
    for title, column in zip(titles, table.T, strict=True):
        print(f"{title}: mean {column.mean():.3f}, median {np.median(column):.3f}, least {column.min():.3f}")
    print(f"correlation of a patient's Dice with both: {np.corrcoef(table[:, 0], table[:, 1])[0, 1]:.2f}")


if __name__ == "__main__":
    main()
