"""Probabilities are checked against what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metseg.metrics import Reliability, pool_reliability, reliability


def test_scores_are_as_by_hand() -> None:
    truth = np.array([0, 0, 0, 1, 1])
    given = np.array([0.0, 0.004, 0.25, 0.25, 0.95])
    found = reliability(truth, given)
    assert sum(found.voxels) == 5
    assert found.brier == pytest.approx((0.004**2 + 0.25**2 + 0.75**2 + 0.05**2) / 5)
    assert found.ece == pytest.approx((0.004 + 0.5 + 0.05) / 5)
    assert found.ece_in_doubt == pytest.approx((0.5 + 0.05) / 3), "without the two below 0.01"
    assert found.curve() == [pytest.approx((0.002, 0.0)), pytest.approx((0.25, 0.5)), pytest.approx((0.95, 1.0))]


def test_voxels_drawn_by_their_own_probability_are_calibrated_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    given = rng.uniform(size=200_000)
    truth = rng.uniform(size=given.size) < given
    honest = reliability(truth, given)
    assert honest.ece < 0.01
    assert honest.brier == pytest.approx(1 / 6, abs=0.005)
    sure = reliability(truth, (given > 0.5).astype(float))
    assert sure.ece == pytest.approx(0.25, abs=0.01)
    assert sure.brier > honest.brier


def test_certain_and_right_is_perfect_and_certain_and_wrong_the_worst() -> None:
    truth = np.array([[[0, 1, 1]]])
    assert (reliability(truth, truth * 1.0).ece, reliability(truth, truth * 1.0).brier) == (0.0, 0.0)
    assert (reliability(truth, 1.0 - truth).ece, reliability(truth, 1.0 - truth).brier) == (1.0, 1.0)


def test_parts_add_up_to_the_whole_and_survive_json() -> None:
    rng = np.random.default_rng(1)
    truth, given = rng.integers(2, size=(4, 8, 8)), rng.uniform(size=(4, 8, 8)).astype(np.float32)
    whole = reliability(truth, given)
    pooled = pool_reliability(reliability(truth[z], given[z]) for z in range(4))
    assert pooled.voxels == whole.voxels
    assert pooled.ece == pytest.approx(whole.ece)
    assert pooled.brier == pytest.approx(whole.brier)
    assert Reliability.model_validate_json(whole.model_dump_json()) == whole


def test_without_voxels_nothing_is_known() -> None:
    nobody = pool_reliability([])
    assert math.isnan(nobody.ece)
    assert math.isnan(nobody.brier)
    assert nobody.curve() == []
    assert math.isnan(reliability(np.zeros(3), np.zeros(3)).ece_in_doubt)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        reliability(np.zeros(2), np.array([0.5, bad]))
