"""Are faint lesions what networks miss? Dice of held-out patients by how far FLAIR tells lesion from surroundings.

python docs/scripts/measure_contrast.py --model RUNS --data DIR

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is segmented by weights that never saw it,
as its card says. Contrast is the median of FLAIR in the outline less that of head 5 to 20 pixels from it, where the
median of the head is 0.4.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from held_out import asked_for, held_out
from scipy.stats import spearmanr

from metseg.inference import Segmenter
from metseg.metrics import score_scan
from metseg.preprocessing import PreprocessingConfig, Preprocessor
from metseg.study import Sequence, Study

_NEAR, _FAR = 5, 20
_HEAD = 0.15
_GROUPS = 4


def contrast(study: Study, mask: npt.NDArray[np.uint8]) -> float:
    """How much brighter the lesion is than what is around it, in parts of which the median of the head has 0.4."""
    config = PreprocessingConfig(sequences=("flair",), normalisation="median", clahe=None, size=None, multiple=1)
    flair = Preprocessor(config, study.select([Sequence.FLAIR])).images(range(len(mask)))[:, 0]
    around = np.stack([_dilated(plane, _FAR) & ~_dilated(plane, _NEAR) for plane in mask]) & (flair > _HEAD)
    return float(np.median(flair[mask > 0]) - np.median(flair[around]))


def _dilated(plane: npt.NDArray[np.uint8], radius: int) -> npt.NDArray[np.bool_]:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.asarray(cv2.dilate(plane, disc) > 0)


def main() -> None:
    """Print mean and worst Dice of each quarter of the patients, from the faintest lesions to the plainest."""
    given = asked_for(__doc__).parse_args()
    rows: list[tuple[float, float]] = []
    for checkpoint, patients in held_out(given.model, given.data):
        with Segmenter(checkpoint, device=given.device) as segmenter:
            for study in patients:
                if study.mask is not None:
                    dice = score_scan(study.name, study.mask, segmenter.segment(study).mask).dice
                    rows.append((contrast(study, study.mask), dice))
    rows.sort()
    for first, last in pairwise(np.linspace(0, len(rows), _GROUPS + 1).round().astype(int)):
        group = np.array(rows[first:last])
        print(
            f"contrast {group[0, 0]:.2f} to {group[-1, 0]:.2f}, {len(group)} patients: "
            f"Dice {group[:, 1].mean():.3f}, worst {group[:, 1].min():.3f}"
        )
    correlation = spearmanr(rows)
    print(f"Spearman's correlation {correlation.statistic:.2f}, p = {correlation.pvalue:.4f}")


if __name__ == "__main__":
    main()
