"""RANO-BM's categories, from diameters."""

from __future__ import annotations

import numpy as np
import pytest

from metseg.follow_up import (
    FollowedLesion,
    FollowUpChange,
    Group,
    Response,
    judge_response,
    match_lesions,
    signed_percent,
)
from metseg.lesions import Lesion


def lesion(diameter: float) -> Lesion:
    return Lesion(1, (0, 3), 10, diameter**3, 0, diameter, diameter, 1, 1, diameter >= 10, None, None, (0, 0, 0), False)


def followed(*diameters: tuple[float, float]) -> list[FollowedLesion]:
    found = []
    for number, (before, after) in enumerate(diameters, start=1):
        change = FollowUpChange.NEW if not before else FollowUpChange.GONE if not after else FollowUpChange.UNCHANGED
        parts = [(lesion(diameter),) if diameter else () for diameter in (before, after)]
        found.append(FollowedLesion(number, *parts, change))
    return found


@pytest.mark.parametrize(
    ("diameters", "expected"),
    [
        ([(20, 20)], Response.STABLE),
        ([(20, 13.9)], Response.PARTIAL),
        ([(20, 14.1)], Response.STABLE),
        ([(20, 24.9)], Response.STABLE),  # a quarter longer, by less than 5 mm
        ([(20, 25)], Response.PROGRESSIVE),
        ([(12, 15), (12, 15), (12, 15)], Response.STABLE),  # none longer by 5 mm
        ([(20, 0)], Response.COMPLETE),
        ([(20, 0), (6, 6)], Response.PARTIAL),  # what is no target is still there
        ([(20, 10), (0, 4)], Response.PROGRESSIVE),
        ([(8, 9)], Response.NOT_EVALUABLE),
        ([], Response.NOT_EVALUABLE),
    ],
)
def test_categories(diameters: list[tuple[float, float]], expected: Response) -> None:
    assert judge_response(followed(*diameters)).response is expected


@pytest.mark.parametrize(("share", "written"), [(0.124, "+12%"), (-0.05, "−5%"), (-0.004, "0%"), (1.81, "+181%")])
def test_changes_are_written_with_their_sign(share: float, written: str) -> None:
    assert signed_percent(share) == written


def test_the_longest_five_are_targets() -> None:
    judgement = judge_response(followed((11, 11), (12, 12), (13, 13), (14, 14), (15, 15), (16, 16), (9, 9)))
    assert judgement.targets == (6, 5, 4, 3, 2)
    assert judgement.sums == (70, 70)


def test_neighbours_are_told_apart_by_overlap_and_others_by_distance() -> None:
    before, after = np.zeros((1, 20, 40), int), np.zeros((1, 20, 40), int)
    before[0, 2:6, 2:6], after[0, 3:7, 2:6] = 1, 2
    after[0, 2:6, 7:9] = 1  # 1 mm beside a lesion that is matched: new
    before[0, 10:12, 10], after[0, 10:12, 12] = 2, 3  # no overlap, 2 mm apart: the same
    before[0, 10, 30], after[0, 18, 30] = 3, 4  # 8 mm apart
    groups = match_lesions(before, after, (1.0, 1.0, 1.0))
    assert groups == [Group((1,), (2,)), Group((2,), (3,)), Group((3,), ()), Group((), (1,)), Group((), (4,))]
