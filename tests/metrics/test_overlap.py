"""Dice and its kin, by hand and by property."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.metrics import overlap

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(SHAPES)
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))), draw(
        hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))
    )


def test_counts_and_ratios_are_as_by_hand() -> None:
    reference = np.array([[[1, 1, 1, 0, 0, 0]]], np.uint8)
    predicted = np.array([[[0, 1, 1, 1, 1, 0]]], np.uint8)
    result = overlap(reference, predicted)
    assert (result.true_positive, result.false_positive, result.false_negative) == (2, 2, 1)
    assert result.dice == pytest.approx(4 / 7)
    assert result.iou == pytest.approx(2 / 5)
    assert result.precision == pytest.approx(1 / 2)
    assert result.recall == pytest.approx(2 / 3)


def test_two_empty_masks_agree() -> None:
    empty = np.zeros((2, 3, 3), np.uint8)
    result = overlap(empty, empty)
    assert result.dice == result.iou == 1.0
    assert math.isnan(result.precision)
    assert math.isnan(result.recall)


def test_one_empty_mask_is_no_agreement() -> None:
    empty, full = np.zeros((2, 3, 3), np.uint8), np.ones((2, 3, 3), np.uint8)
    missed, invented = overlap(full, empty), overlap(empty, full)
    assert missed.dice == missed.iou == invented.dice == invented.iou == 0.0
    assert missed.recall == 0.0
    assert math.isnan(missed.precision)
    assert invented.precision == 0.0
    assert math.isnan(invented.recall)


def test_any_value_but_zero_is_lesion() -> None:
    mask = np.array([[[0, 1, 0, 1]]])
    assert overlap(mask.astype(bool), mask.astype(np.uint8) * 255).dice == 1.0
    assert overlap(mask * -1, mask * 0.5).dice == 1.0


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        overlap(np.zeros((1, 2, 3)), np.zeros((1, 3, 2)))


@given(pairs())
def test_dice_and_iou_are_symmetric_and_tied_to_each_other(masks: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = overlap(*masks), overlap(*masks[::-1])
    assert one.dice == other.dice
    assert one.iou == other.iou
    assert 0 <= one.iou <= one.dice <= 1
    assert one.dice == pytest.approx(2 * one.iou / (1 + one.iou))


@given(pairs())
def test_precision_one_way_is_recall_the_other(masks: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = overlap(*masks), overlap(*masks[::-1])
    assert one.precision == pytest.approx(other.recall, nan_ok=True)


@given(pairs())
def test_dice_is_the_harmonic_mean_of_precision_and_recall(masks: tuple[np.ndarray, np.ndarray]) -> None:
    result = overlap(*masks)
    assume(result.true_positive)
    assert result.dice == pytest.approx(2 / (1 / result.precision + 1 / result.recall))


@given(pairs(), st.randoms(use_true_random=False))
def test_where_voxels_lie_does_not_matter(masks: tuple[np.ndarray, np.ndarray], random: st.random.Random) -> None:
    order = list(range(masks[0].size))
    random.shuffle(order)
    shuffled = [mask.ravel()[order].reshape(mask.shape) for mask in masks]
    assert overlap(*shuffled) == overlap(*masks)


@given(pairs())
def test_a_mask_agrees_with_itself(masks: tuple[np.ndarray, np.ndarray]) -> None:
    assert overlap(masks[0], masks[0]).dice == 1.0


@given(pairs())
def test_adding_a_right_voxel_never_lowers_dice(masks: tuple[np.ndarray, np.ndarray]) -> None:
    reference, predicted = masks
    missed = np.argwhere((reference == 1) & (predicted == 0))
    assume(len(missed))
    better = predicted.copy()
    better[tuple(missed[0])] = 1
    assert overlap(reference, better).dice >= overlap(reference, predicted).dice
