"""The promotion check's rule, and that it never passes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from metseg.curation import PromotionResult
from metseg.retraining import ComparedScan, ModelScores, RetrainingConfig
from metseg.retraining.promotion import MaskSource, decide, remarks_on

RULE = RetrainingConfig(project=Path("p"), parent="m", out=Path("o"))


def scores(*rows: tuple[float, int], source: MaskSource = MaskSource.PROJECT) -> ModelScores:
    """A model with these Dice values and lesions found, of three each."""
    return ModelScores(
        name="m",
        sha256="0" * 64,
        rows=tuple(
            ComparedScan(name=f"p{n}", patient=f"p{n}", source=source, dice=dice, lesions=3, found=found, false=0)
            for n, (dice, found) in enumerate(rows)
        ),
    )


PARENT = scores((0.8, 3), (0.7, 2), (0.9, 3))


@pytest.mark.parametrize(
    ("child", "result", "said"),
    [
        (scores((0.8, 3), (0.7, 2), (0.9, 3)), PromotionResult.PASSED, "no worse"),
        (scores((0.9, 3), (0.7, 3), (0.9, 3)), PromotionResult.PASSED, "9 of 9 lesions found, by the parent 8"),
        (scores((0.79, 3), (0.7, 3), (0.9, 3)), PromotionResult.FAILED, "mean Dice is lower: mean Dice 0.7967"),
        (scores((0.9, 3), (0.9, 1), (0.9, 3)), PromotionResult.FAILED, "fewer lesions are found"),
        (scores((0.1, 0), (0.1, 0), (0.1, 0)), PromotionResult.FAILED, "mean Dice is lower and fewer lesions"),
    ],
)
def test_a_child_must_be_no_worse(child: ModelScores, result: PromotionResult, said: str) -> None:
    found, reason = decide(PARENT, child, RULE)
    assert found is result
    assert said in reason


def test_the_tolerance_is_for_dice_alone() -> None:
    rule = RULE.model_copy(update={"tolerance": 0.02})
    assert decide(PARENT, scores((0.75, 3), (0.7, 2), (0.9, 3)), rule)[0] is PromotionResult.PASSED
    assert decide(PARENT, scores((0.7, 3), (0.7, 2), (0.9, 3)), rule)[0] is PromotionResult.FAILED
    assert decide(PARENT, scores((0.8, 2), (0.7, 2), (0.9, 3)), rule)[0] is PromotionResult.FAILED


def test_with_too_few_patients_it_says_so_and_does_not_pass() -> None:
    few = scores((0.8, 3), (0.7, 2))
    result, reason = decide(few, few, RULE)
    assert result is PromotionResult.UNDECIDED
    assert "too few patients" in reason
    twice = few.model_copy(update={"rows": tuple(row.model_copy(update={"patient": "p"}) for row in PARENT.rows)})
    assert decide(twice, twice, RULE)[0] is PromotionResult.UNDECIDED
    result, reason = decide(scores(), scores(), RULE)
    assert result is PromotionResult.UNDECIDED
    assert "nobody is held out" in reason


def test_what_a_mean_hides_is_remarked() -> None:
    old = scores((0.9, 3), (0.9, 3), source=MaskSource.ORIGINAL)
    worse_on_old = scores((0.8, 3), (0.8, 3), source=MaskSource.ORIGINAL)
    before = PARENT.model_copy(update={"rows": (*PARENT.rows, *old.rows)})
    after = PARENT.model_copy(update={"rows": (*scores((1, 3), (1, 3), (1, 3)).rows, *worse_on_old.rows)})
    assert decide(before, after, RULE)[0] is PromotionResult.PASSED
    test, remarks = remarks_on(before, after)
    assert test.patients == 5
    assert "on the original data alone mean Dice falls from 0.9000 to 0.8000" in remarks
    assert any("the two cannot be told apart" in remark for remark in remarks)
