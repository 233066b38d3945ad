"""What the tools act on when nobody says it: the lesion under a stroke."""

from __future__ import annotations

import numpy as np
import pytest

from metseg.curation.tools import Stroke
from metseg.napari_plugin.studio.tools import lesion_under


def volume(**lesions: tuple[int, slice]) -> np.ndarray:
    """Labels (4, 20, 20): lesion ``l3`` in a slice and some rows, all columns."""
    labels = np.zeros((4, 20, 20), np.uint16)
    for name, (z, rows) in lesions.items():
        labels[z, rows] = int(name[1:])
    return labels


def stroke(z: float = 1, radius: float = 2) -> Stroke:
    return Stroke(np.array([[z, 8, 4], [z, 8, 12]]), radius)


@pytest.mark.parametrize(
    ("labels", "selected", "meant"),
    [
        (volume(), 0, 0),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(10, 12))), 0, 2),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(10, 12))), 3, 3),
        (volume(l2=(1, slice(7, 10)), l3=(1, slice(15, 18))), 3, 2),
        (volume(l4=(2, slice(7, 10)), l5=(3, slice(7, 10))), 0, 4),
        (volume(l4=(0, slice(7, 10)), l2=(1, slice(10, 11))), 0, 2),
        (volume(l5=(3, slice(7, 10))), 0, 0),
        (volume(l5=(3, slice(7, 10))), 5, 5),
        (volume(l5=(3, slice(12, 14))), 5, 0),
    ],
)
def test_a_stroke_belongs_to_the_lesion_under_it(labels: np.ndarray, selected: int, meant: int) -> None:
    assert lesion_under(labels, stroke(), selected) == meant


def test_a_stroke_beyond_the_volume_belongs_to_nothing() -> None:
    labels = np.ones((4, 20, 20), np.uint16)
    assert lesion_under(labels, Stroke(np.array([[1.0, -30, -30], [7, 8, 8]]), 2)) == 0
