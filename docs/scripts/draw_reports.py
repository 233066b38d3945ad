"""Draw ``docs/images/report_page.png`` and ``follow_up_page.png``: the pages of a synthetic head, and of two.

python docs/scripts/draw_reports.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metseg.events import drain
from metseg.follow_up import following, write_follow_up_page
from metseg.lesions import Target, find_midline, label_lesions, measure
from metseg.reporting import write_page
from metseg.study import Geometry, Study
from metseg.synthetic import LesionSpec, synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
BEFORE = [(16, 60, 50, 7, 1), (18, 95, 105, 6, 2), (22, 70, 100, 5, 3), (12, 60, 110, 6, 4), (20, 110, 55, 6, 5)]
AFTER = [(16, 60, 50, 9, 1), (18, 95, 105, 4.5, 2), (22, 70, 100, 5, 3), (20, 110, 55, 6, 5), (14, 100, 70, 5, 6)]


def head(lesions: list[tuple[float, ...]], finer: int = 1) -> Study:
    """A synthetic head whose place in the patient is known, with lesions of (z, y, x), radius in mm and seed.

    ``finer`` is by how much its pixels are smaller than those in which lesions are given.
    """
    specs = [
        LesionSpec(
            kind="solid", centre=(z, y * finer, x * finer), radius=radius, oedema=2, irregularity=0.2, seed=int(seed)
        )
        for z, y, x, radius, seed in lesions
    ]
    study = synthetic_study(5, slices=32, size=160 * finer, lesions=specs, target=Target.ENHANCING_LESION)
    z, y, x = study.geometry.spacing or (1.0, 1.0, 1.0)
    return study.with_geometry(Geometry.placed(np.diag([-x, -y, z, 1.0])))


def main() -> None:
    """Draw both."""
    before, after = head(BEFORE), head(AFTER)
    labels = label_lesions(np.zeros(before.shape, np.uint8) if before.mask is None else before.mask)
    spacing = before.geometry.spacing
    midline = find_midline(before.voxels[2], before.geometry.orientation, spacing)
    lesions = measure(labels, spacing=spacing, midline=midline)
    write_page(IMAGES / "report_page.png", before, labels, lesions, {"target": "enhancing lesion"})
    write_follow_up_page(IMAGES / "follow_up_page.png", drain(following(before, after)))


if __name__ == "__main__":
    main()
