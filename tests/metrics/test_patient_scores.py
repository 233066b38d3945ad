"""Scans are pooled by patient, patients are summarised, kept as JSON and printed."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metseg.metrics import HD95_PENALTY, ScanScore, Summary, as_table, score_scan, summarise


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Slice 0 empty and predicted so, 1 half found, 2 found, 3 empty with a false positive."""
    reference, predicted = np.zeros((4, 10, 10), np.uint8), np.zeros((4, 10, 10), np.uint8)
    reference[1, 2:4, 2:6] = reference[2, 2:4, 2:6] = 1
    predicted[1, 2:4, 2:4] = predicted[2, 2:4, 2:6] = 1
    predicted[3, 8, 7:9] = 1
    return reference, predicted


def made_up(name: str, dice: float, **changes: object) -> ScanScore:
    values = score_scan(name, *masks()).model_dump() | {"dice": dice, "iou": dice / (2 - dice), "slice_dice": (dice,)}
    return ScanScore.model_validate(values | changes)


def grid(lesions: int, found: int, false: int = 0, side: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Lesions of 2 x side x side voxels in a row, the first of them found exactly; false positives below them."""
    reference = np.zeros((4, 2 * side + 4, (side + 3) * max(lesions, false, 1)), np.uint8)
    predicted = reference.copy()
    for index in range(lesions):
        place = np.s_[1:3, :side, (side + 3) * index : (side + 3) * index + side]
        reference[place] = 1
        predicted[place] = index < found
    for index in range(false):
        predicted[1:3, side + 3 : side + 5, (side + 3) * index : (side + 3) * index + side] = 1
    return reference, predicted


def test_a_scan_is_scored_as_by_hand() -> None:
    score = score_scan("scan", *masks(), patient="P")
    assert (score.name, score.patient) == ("scan", "P")
    assert score.dice == pytest.approx(2 * 12 / (16 + 14))
    assert score.iou == pytest.approx(12 / 18)
    assert score.precision == pytest.approx(12 / 14)
    assert score.recall == pytest.approx(12 / 16)
    assert score.slice_dice == pytest.approx((2 * 4 / 12, 1.0))
    assert (score.empty_slices, score.false_positive_slices) == (2, 1)
    assert (len(score.lesions), score.found, len(score.false_positives)) == (1, 1, 1)


def test_a_scan_without_lesion_and_without_prediction_is_right() -> None:
    score = score_scan("healthy", np.zeros((3, 5, 5), np.uint8), np.zeros((3, 5, 5), np.uint8))
    assert score.dice == score.iou == 1.0
    assert math.isnan(score.precision)
    assert math.isnan(score.recall)
    assert score.slice_dice == ()
    assert (score.empty_slices, score.false_positive_slices) == (3, 0)
    assert math.isnan(summarise([score]).sensitivity), "there was nothing to find"
    assert summarise([score]).false_positives_per_scan == 0


def test_a_summary_is_as_by_hand() -> None:
    rows = [
        made_up("a", 0.9, slice_dice=(1.0, 0.8)),
        made_up("b", 0.6, slice_dice=(0.3,), precision=0.6),
        made_up("c", 0.3, slice_dice=(), precision=float("nan")),
    ]
    summary = summarise(rows)
    assert (summary.patients, summary.scans) == (3, 3)
    assert summary.mean_dice == pytest.approx(0.6)
    assert summary.median_dice == pytest.approx(0.6)
    assert summary.worst_dice == 0.3
    assert summary.mean_slice_dice == pytest.approx(2.1 / 3)
    assert summary.median_slice_dice == pytest.approx(0.8)
    assert summary.mean_precision == pytest.approx((12 / 14 + 0.6) / 2), "the undefined one does not count"
    assert summary.false_positive_slices == pytest.approx(0.5)
    assert summary.mean_dice in summary.intervals["mean_dice"]


def test_a_patient_with_sixty_lesions_does_not_drown_the_others() -> None:
    rows = [score_scan("many", *grid(60, 60)), score_scan("few", *grid(2, 1)), score_scan("one", *grid(1, 0))]
    summary = summarise(rows)
    assert summary.sensitivity == pytest.approx((1 + 0.5 + 0) / 3)
    (small, *_) = summary.sizes
    assert (small.reference, small.found, small.patients) == (63, 61, 3)
    assert small.sensitivity == pytest.approx(0.5)


def test_visits_are_pooled_within_the_patient() -> None:
    first = score_scan("P-0", *grid(4, 4, false=2), patient="P")
    second = score_scan("P-1", *grid(1, 0), patient="P")
    other = score_scan("Q", *grid(1, 1))
    summary = summarise([first, other, second])
    assert (summary.patients, summary.scans) == (2, 3)
    pooled, alone = summary.scores
    assert (pooled.name, pooled.lesions, pooled.found) == ("P", 5, 4)
    assert [scan.name for scan in pooled.scans] == ["P-0", "P-1"]
    assert pooled.sensitivity == pytest.approx(4 / 5)
    assert pooled.false_positives == pytest.approx((2 + 0) / 2)
    assert pooled.dice == pytest.approx((first.dice + second.dice) / 2)
    assert pooled.lesion_dice == pytest.approx((4 / 6 + 0) / 2)
    assert summary.sensitivity == pytest.approx((4 / 5 + 1) / 2)
    assert summary.lesion_hd95 == pytest.approx((HD95_PENALTY * (2 / 6 + 1) / 2 + 0) / 2)
    assert alone.sensitivity == 1.0


def test_lesions_are_told_apart_by_voxels_and_where_the_spacing_is_known_by_millimetres() -> None:
    small, middle, large = grid(2, 1, false=1), grid(1, 1, side=4), grid(1, 0, side=10)
    rows = [score_scan(name, *pair) for name, pair in (("a", small), ("b", middle), ("c", large))]
    sizes = summarise(rows).sizes
    assert [size.name for size in sizes] == ["5 to 29 voxels", "30 to 199 voxels", "200 voxels and more"]
    assert [(size.reference, size.found, size.false, size.patients) for size in sizes] == [
        (2, 1, 1, 1),
        (1, 1, 0, 1),
        (1, 0, 0, 1),
    ]
    assert [size.sensitivity for size in sizes] == [0.5, 1.0, 0.0]
    spaced = [score_scan(name, *pair, (1.0, 1.0, 1.0)) for name, pair in (("a", small), ("b", middle), ("c", large))]
    in_mm = [size for size in summarise(spaced).sizes if size.unit == "mm"]
    assert [size.name for size in in_mm] == ["under 5 mm", "5 to 10 mm", "10 mm and more"]
    assert [size.reference for size in in_mm] == [3, 1, 0]
    assert summarise(spaced).unit == "mm"
    mixed = summarise([*rows, *spaced])
    assert math.isnan(mixed.lesion_hd95), "voxels and millimetres have no mean"


def test_calibration_is_judged_near_lesions_and_not_in_the_background() -> None:
    reference = np.zeros((3, 60, 60), np.uint8)
    reference[1, 10:14, 10:14] = 1
    sure = reference.astype(np.float32)
    missed = np.zeros_like(sure)
    found = summarise([score_scan("a", reference, reference, probabilities=sure)])
    lost = summarise([score_scan("a", reference, missed, probabilities=missed)])
    assert found.ece == found.brier == 0.0
    assert sum(found.reliability.voxels) == 3 * 8 * 8, "two voxels around the lesion"
    assert lost.ece == lost.brier == pytest.approx(16 / (3 * 8 * 8)), "a missed lesion counts"


def test_no_patients_give_an_empty_summary_and_not_an_error() -> None:
    summary = summarise([])
    assert summary.patients == summary.scans == 0
    assert math.isnan(summary.mean_dice)
    assert math.isnan(summary.worst_dice)
    assert math.isnan(summary.sensitivity)
    assert [size.reference for size in summary.sizes] == [0, 0, 0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_the_order_of_patients_does_not_matter(values: list[float], random: st.random.Random) -> None:
    rows = [made_up(str(index), value) for index, value in enumerate(values)]
    shuffled = rows.copy()
    random.shuffle(shuffled)
    one, other = summarise(rows), summarise(shuffled)
    for name in ("mean_dice", "median_dice", "worst_dice", "mean_iou", "sensitivity", "lesion_dice"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
    assert one.intervals["mean_dice"].low == pytest.approx(other.intervals["mean_dice"].low, nan_ok=True)
    assert one.worst_dice - 1e-9 <= one.median_dice
    assert one.worst_dice - 1e-9 <= one.mean_dice <= max(values) + 1e-9


def test_a_summary_survives_json_with_null_for_the_undefined() -> None:
    healthy = np.zeros((3, 5, 5), np.uint8)
    summary = summarise([score_scan("P", *masks()), score_scan("healthy", healthy, healthy)])
    text = summary.model_dump_json()
    assert json.loads(text)["scores"][1]["precision"] is None
    assert len(json.loads(text)["scores"][0]["scans"][0]["lesions"]) == 1
    assert "NaN" not in text
    back = Summary.model_validate_json(text)
    assert back.mean_dice == summary.mean_dice
    assert back.scores[0].scans == summary.scores[0].scans
    assert math.isnan(back.scores[1].precision)
    assert back.model_dump_json() == text
    assert math.isnan(Summary.model_validate_json(summarise([]).model_dump_json()).median_iou)


def test_scores_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        summarise([]).mean_dice = 1.0


def test_the_table_has_a_column_per_setting_and_aligns_them() -> None:
    summary = summarise([made_up("a", 0.912), made_up("b", 0.5)])
    lines = as_table({"as given": summary, "FLAIR alone": summarise([made_up("a", 0.25)])}).splitlines()
    assert re.split(r"\s{2,}", lines[0].strip()) == ["as given", "FLAIR alone"]
    assert len({len(line) for line in lines}) == 1
    rows = {title: cells for title, *cells in (re.split(r"\s{2,}", line) for line in lines[1:])}
    assert rows["patients"] == ["2", "1"]
    assert rows["Dice per patient, mean"] == ["0.706 [0.500, 0.912]", "0.250"], "no interval of one patient"
    assert rows["Dice per patient, worst"] == ["0.500", "0.250"]
    assert rows["lesions found, by patient"] == ["1.000 [1.000, 1.000]", "1.000"]
    assert rows["false positives per scan"][1] == "1.000"
    assert rows["found, 5 to 29 voxels"] == ["1.000 [1.000, 1.000] 2/2", "1.000 1/1"]


def test_what_cannot_be_measured_is_a_dash_in_the_table() -> None:
    lines = as_table({"none": summarise([])}).splitlines()
    assert lines[3].startswith("Dice per patient, mean")
    assert lines[3].split()[-1] == "–"
    assert "nan" not in "\n".join(lines)
