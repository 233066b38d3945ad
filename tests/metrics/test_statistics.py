"""Intervals over patients, and whether two models differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metseg.metrics import compare_paired, mean_interval


def test_the_interval_is_that_of_theory_where_theory_knows_it() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.1, size=200)
    interval = mean_interval(values.tolist())
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert interval.low == pytest.approx(values.mean() - half, abs=0.002)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.002)


def test_the_interval_is_the_same_every_time_and_for_every_order() -> None:
    values = [0.9, 0.3, 0.8, 0.95, 0.85]
    assert mean_interval(values) == mean_interval(values[::-1])
    assert mean_interval([*values, math.nan]) == mean_interval(values)


def test_too_few_patients_give_no_interval_and_equal_ones_a_point() -> None:
    assert not mean_interval([]).known
    assert not mean_interval([0.5]).known
    assert not mean_interval([0.5, math.nan]).known
    assert mean_interval([0.5, 0.5, 0.5]) == mean_interval([0.5, 0.5])
    assert mean_interval([0.5, 0.5]).low == mean_interval([0.5, 0.5]).high == 0.5


def test_a_steady_difference_is_told_from_none() -> None:
    rng = np.random.default_rng(0)
    first = rng.uniform(0.7, 0.9, size=17)
    better = compare_paired((first + rng.normal(0.03, 0.01, size=17)).tolist(), first.tolist())
    assert better.difference == pytest.approx(0.03, abs=0.01)
    assert better.difference in better.interval
    assert better.p_value < 0.001
    assert better.is_significant
    alike = compare_paired((first + rng.permutation(np.linspace(-0.04, 0.05, 17))).tolist(), first.tolist())
    assert 0 in alike.interval
    assert not alike.is_significant


def test_one_patient_who_differs_much_does_not_make_a_model_better() -> None:
    first = [0.9, 0.8, 0.7, 0.85, 0.6, 0.9, 0.75]
    second = [0.9, 0.81, 0.69, 0.86, 0.59, 0.9, 0.05]
    assert not compare_paired(first, second).is_significant


def test_equal_models_and_lone_patients() -> None:
    same = compare_paired([0.9, 0.8], [0.9, 0.8])
    assert (same.difference, same.p_value, same.is_significant) == (0.0, 1.0, False)
    assert not compare_paired([0.9], [0.1]).is_significant
    nobody = compare_paired([], [])
    assert nobody.patients == 0
    assert not nobody.is_significant
    assert compare_paired([0.5, math.nan, 0.7], [0.4, 0.2, 0.6]).patients == 2
    with pytest.raises(ValueError, match="pairs"):
        compare_paired([0.5], [])
