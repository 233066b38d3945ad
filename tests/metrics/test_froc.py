"""Lesions are counted at every threshold of the probabilities, and the curve is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.metrics import THRESHOLDS, ScanScore, draw_froc, score_scan, summarise

SHAPE = (3, 20, 20)


def scan(name: str = "a", *, smallest: int = 0, probabilities: np.ndarray | None = None) -> ScanScore:
    """One lesion at probability 0.85, one at 0.25; a false positive at 0.55 and one of two voxels at 0.3."""
    reference, given = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.float32)
    reference[1, 2:5, 2:5] = reference[1, 12:15, 2:5] = 1
    given[1, 2:5, 2:5], given[1, 12:15, 2:5] = 0.85, 0.25
    given[1, 2:5, 12:15], given[1, 12, 12:14] = 0.55, 0.3
    given = given if probabilities is None else probabilities
    return score_scan(name, reference, given >= 0.5, probabilities=given, min_lesion_voxels=smallest)


def at(score: ScanScore, threshold: float) -> tuple[int, int]:
    assert score.froc is not None
    index = score.froc.thresholds.index(threshold)
    return score.froc.found[index], score.froc.false[index]


def test_what_is_found_and_what_is_false_depends_on_the_threshold() -> None:
    found = scan()
    assert [at(found, threshold) for threshold in (0.1, 0.3, 0.5, 0.8, 0.9)] == [(2, 2), (1, 2), (1, 1), (1, 0), (0, 0)]
    assert at(found, 0.5) == (found.found, len(found.false_positives))


def test_predicted_components_that_post_processing_drops_are_dropped_here_too() -> None:
    assert at(scan(smallest=3), 0.3) == (1, 1)


def test_the_curve_is_by_patient_and_per_scan() -> None:
    sure = np.zeros(SHAPE, np.float32)
    first = scan("a")
    second = scan("b", probabilities=sure)
    summary = summarise([first, second])
    point = next(point for point in summary.froc if point.threshold == 0.1)
    assert [row.threshold for row in summary.froc] == list(THRESHOLDS)
    assert (point.sensitivity, point.false_positives) == (0.5, 1.0)
    assert point.sensitivity in point.sensitivity_interval
    chosen = next(point for point in summary.froc if point.threshold == 0.5)
    assert (chosen.sensitivity, chosen.false_positives) == (summary.sensitivity, summary.false_positives_per_scan)


def test_without_probabilities_there_is_no_curve() -> None:
    plain = score_scan("c", np.ones(SHAPE), np.ones(SHAPE))
    assert summarise([plain, scan()]).froc == ()
    assert summarise([]).froc == ()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_curve_is_drawn(tmp_path: Path, ending: str) -> None:
    draw_froc(tmp_path / f"froc.{ending}", {"all sequences": summarise([scan("a"), scan("b")])})
    assert (tmp_path / f"froc.{ending}").stat().st_size > 1000
