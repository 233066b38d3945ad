"""Patients are scored, summarised, kept as JSON and printed."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metseg.metrics import PatientScore, Summary, as_table, score_patient, summarise


def patient() -> tuple[np.ndarray, np.ndarray]:
    """Slice 0 empty and predicted so, 1 half found, 2 found, 3 empty with a false lesion."""
    reference, predicted = np.zeros((4, 10, 10), np.uint8), np.zeros((4, 10, 10), np.uint8)
    reference[1, 2:4, 2:6] = reference[2, 2:4, 2:6] = 1
    predicted[1, 2:4, 2:4] = predicted[2, 2:4, 2:6] = 1
    predicted[3, 8, 7:9] = 1
    return reference, predicted


def made_up(name: str, dice: float, **changes: object) -> PatientScore:
    values: dict[str, object] = {
        "name": name,
        "dice": dice,
        "iou": dice / (2 - dice),
        "precision": dice,
        "recall": dice,
        "slice_dice": (dice,),
        "empty_slices": 10,
        "false_positive_slices": 1,
        "lesions": 2,
        "found_lesions": 1,
        "false_lesions": 0,
    }
    return PatientScore.model_validate(values | changes)


def test_a_patient_is_scored_as_by_hand() -> None:
    score = score_patient("P", *patient())
    assert score.name == "P"
    assert score.dice == pytest.approx(2 * 12 / (16 + 14))
    assert score.iou == pytest.approx(12 / 18)
    assert score.precision == pytest.approx(12 / 14)
    assert score.recall == pytest.approx(12 / 16)
    assert score.slice_dice == pytest.approx((2 * 4 / 12, 1.0))
    assert (score.empty_slices, score.false_positive_slices) == (2, 1)
    assert (score.lesions, score.found_lesions, score.false_lesions) == (1, 1, 1)


def test_a_patient_without_lesion_and_without_prediction_is_right() -> None:
    score = score_patient("healthy", np.zeros((3, 5, 5), np.uint8), np.zeros((3, 5, 5), np.uint8))
    assert score.dice == score.iou == 1.0
    assert math.isnan(score.precision)
    assert math.isnan(score.recall)
    assert score.slice_dice == ()
    assert (score.empty_slices, score.false_positive_slices) == (3, 0)


def test_a_summary_is_as_by_hand() -> None:
    rows = [
        made_up("a", 0.9, slice_dice=(1.0, 0.8)),
        made_up("b", 0.6, slice_dice=(0.3,), false_lesions=3, found_lesions=2),
        made_up("c", 0.3, slice_dice=(), lesions=0, found_lesions=0, precision=float("nan")),
    ]
    summary = summarise(rows)
    assert summary.patients == 3
    assert summary.mean_dice == pytest.approx(0.6)
    assert summary.median_dice == pytest.approx(0.6)
    assert summary.worst_dice == 0.3
    assert summary.mean_slice_dice == pytest.approx(2.1 / 3)
    assert summary.median_slice_dice == pytest.approx(0.8)
    assert summary.mean_precision == pytest.approx(0.75), "the undefined one does not count"
    assert summary.mean_recall == pytest.approx(0.6)
    assert summary.lesion_sensitivity == pytest.approx(3 / 4)
    assert summary.false_lesions_per_patient == pytest.approx(1.0)
    assert summary.false_positive_slices == pytest.approx(0.1)
    assert summary.scores == tuple(rows)


def test_no_patients_give_an_empty_summary_and_not_an_error() -> None:
    summary = summarise([])
    assert summary.patients == 0
    assert math.isnan(summary.mean_dice)
    assert math.isnan(summary.worst_dice)
    assert math.isnan(summary.lesion_sensitivity)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_patients_does_not_matter(values: list[float], random: st.random.Random) -> None:
    rows = [made_up(str(index), value) for index, value in enumerate(values)]
    shuffled = rows.copy()
    random.shuffle(shuffled)
    one, other = summarise(rows), summarise(shuffled)
    for name in Summary.model_fields.keys() - {"scores"}:
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
    assert one.worst_dice - 1e-9 <= one.median_dice
    assert one.worst_dice - 1e-9 <= one.mean_dice <= max(values) + 1e-9


def test_a_summary_survives_json_with_null_for_the_undefined() -> None:
    healthy = np.zeros((3, 5, 5), np.uint8)
    summary = summarise([score_patient("P", *patient()), score_patient("healthy", healthy, healthy)])
    text = summary.model_dump_json()
    assert json.loads(text)["scores"][1]["precision"] is None
    assert "NaN" not in text
    back = Summary.model_validate_json(text)
    assert back.mean_dice == summary.mean_dice
    assert back.scores[0] == summary.scores[0]
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
    assert rows["Dice per patient, mean"] == ["0.706", "0.250"]
    assert rows["Dice per patient, worst"] == ["0.500", "0.250"]
    assert rows["lesions found, share"] == ["0.500", "0.500"]


def test_what_cannot_be_measured_is_a_dash_in_the_table() -> None:
    lines = as_table({"none": summarise([])}).splitlines()
    assert lines[2].startswith("Dice per patient, mean")
    assert lines[2].split()[-1] == "–"
    assert "nan" not in "\n".join(lines)
