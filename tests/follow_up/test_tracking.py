"""Three examinations of a synthetic head of known truth: one number for a lesion, its course as drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.events import Progress, drain
from metseg.follow_up import (
    FollowUpChange,
    Response,
    Thresholds,
    TrackedExaminations,
    tracked_document,
    tracked_table_csv,
    tracking,
    write_course_page,
)
from metseg.follow_up.changes import categorise
from metseg.follow_up.course_page import course_figure
from metseg.lesions import Target
from metseg.study import Study
from metseg.synthetic import LesionSpec, synthetic_study

_GROWING, _GOING, _COMING, _LEFT, _RIGHT = (12, 24, 22), (14, 40, 42), (10, 38, 24), (16, 26, 40), (16, 26, 44)


def _head(*lesions: tuple[tuple[int, int, int], float]) -> Study:
    specs = [
        LesionSpec(kind="solid", centre=centre, radius=radius, oedema=1, irregularity=0, seed=place)
        for place, (centre, radius) in enumerate(lesions)
    ]
    return synthetic_study(5, slices=24, size=64, target=Target.ENHANCING_LESION, lesions=specs)


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def result(seen: list[Progress]) -> TrackedExaminations:
    """One grows each time, one goes, one comes at the second time, and two merge at the third."""
    heads = (
        _head((_GROWING, 6), (_GOING, 6), (_LEFT, 6)),
        _head((_GROWING, 8), (_GOING, 6), (_COMING, 5), (_LEFT, 6), (_RIGHT, 6)),
        _head((_GROWING, 10), (_COMING, 5), ((16, 26, 42), 14)),
    )
    return drain(tracking(heads), lambda event: seen.append(event) if isinstance(event, Progress) else None)


def test_a_lesion_has_one_number_at_all_times(result: TrackedExaminations) -> None:
    for place, times in ((_GROWING, (0, 1, 2)), (_GOING, (0, 1)), (_COMING, (1, 2)), (_LEFT, (0, 1, 2))):
        numbers = {int(result.labels[time][place]) for time in times}
        assert len(numbers) == 1
        assert 0 not in numbers
    assert not result.labels[2][_GOING]
    assert result.labels[1][_RIGHT] == result.labels[0][_LEFT], "they are one later, so they are one"
    assert [lesion.number for lesion in result.lesions] == [1, 2, 3, 4]


def test_the_course_of_each_lesion_is_as_drawn(result: TrackedExaminations) -> None:
    courses = {lesion.number: lesion.changes for lesion in result.lesions}
    number = {place: int(result.labels[1][place]) for place in (_GROWING, _GOING, _COMING, _LEFT)}
    assert courses[number[_GROWING]] == (None, FollowUpChange.GROWN, FollowUpChange.GROWN)
    assert courses[number[_GOING]] == (None, FollowUpChange.UNCHANGED, FollowUpChange.GONE)
    assert courses[number[_COMING]] == (None, FollowUpChange.NEW, FollowUpChange.UNCHANGED)
    assert courses[number[_LEFT]] == (None, FollowUpChange.GROWN, FollowUpChange.GROWN)
    growing = result.lesions[number[_GROWING] - 1]
    spacing = result.studies[0].geometry.spacing
    for time in (0, 1, 2):
        voxels = np.count_nonzero(result.labels[time] == growing.number)
        assert growing.volumes[time] == pytest.approx(voxels * np.prod(spacing))
    assert growing.diameters[0] < growing.diameters[1] < growing.diameters[2]


def test_response_is_judged_from_the_first_examination_on(result: TrackedExaminations) -> None:
    second, third = (step.judgement for step in result.steps)
    assert second.response is Response.PROGRESSIVE
    assert "2 new lesions" in second.reason, "also the one that merges later"
    assert second.targets == third.targets
    assert "new lesion" not in third.reason


@pytest.mark.parametrize(
    ("sums", "longer", "expected"),
    [
        ((50, 30, 33), 3, Response.PARTIAL),  # less than at baseline, and hardly more than at the nadir
        ((50, 30, 37), 7, Response.PROGRESSIVE),  # a fifth more than at the nadir
        ((50, 30, 37), 4, Response.STABLE),  # none longer by 5 mm
        ((50, 0, 12), 12, Response.PROGRESSIVE),
        ((50, 30, 0), 0, Response.COMPLETE),
        ((0, 0, 0), 0, Response.NOT_EVALUABLE),
    ],
)
def test_categories_rest_on_baseline_and_nadir(sums: tuple[int, ...], longer: float, expected: Response) -> None:
    assert categorise(sums, Thresholds(), longer=longer, new=(), gone=not sums[-1])[0] is expected


def test_progress_goes_through_all_steps(result: TrackedExaminations, seen: list[Progress]) -> None:
    assert list(dict.fromkeys(event.done for event in seen)) == [0, 1, 2, 3, 4, 5]
    assert {event.total for event in seen} == {6}


def test_table_page_and_document_tell_all_examinations(result: TrackedExaminations, tmp_path: Path) -> None:
    lines = tracked_table_csv(result).splitlines()
    assert len(lines) == 1 + len(result.lesions)
    assert lines[0].endswith("volume_mm3_3,diameter_mm_3,change_3")
    document: dict[str, Any] = tracked_document(result)
    assert [len(one["volumes_mm3"]) for one in document["lesions"]] == [3] * 4
    assert len(document["steps"]) == 2
    write_course_page(tmp_path / "course.pdf", result)
    assert (tmp_path / "course.pdf").read_bytes().startswith(b"%PDF")


_DAYS = date(2026, 3, 2), date(2026, 3, 30), date(2026, 9, 28)


def _dated(result: TrackedExaminations, days: tuple[date | None, ...]) -> TrackedExaminations:
    studies = tuple(replace(study, date=day) for study, day in zip(result.studies, days, strict=True))
    return replace(result, studies=studies)


def test_charts_are_to_the_scale_of_time_where_dates_are_known(result: TrackedExaminations) -> None:
    dated = _dated(result, _DAYS)
    volumes, diameters = course_figure(dated).axes[1:]
    for axes in (volumes, diameters):
        assert axes.get_xlabel() == "date of the examination (its number above)"
        drawn = max((line.get_xdata() for line in axes.lines if line.get_marker() == "o"), key=len)
        assert np.diff(np.asarray(drawn)).tolist() == [28, 182]
        assert [text.get_text() for text in axes.texts if text.get_position()[1] > 1][:3] == ["1", "2", "3"]
    assert tracked_document(dated)["dates"] == ["2026-03-02", "2026-03-30", "2026-09-28"]


@pytest.mark.parametrize(
    ("days", "reason"),
    [((*_DAYS[:2], None), "not known"), (_DAYS[::-1], "not in this order"), ((_DAYS[0],) * 3, "not in this order")],
)
def test_charts_that_are_not_to_scale_say_why(
    result: TrackedExaminations, days: tuple[date | None, ...], reason: str
) -> None:
    axes = course_figure(_dated(result, days)).axes[1]
    assert axes.get_xlabel() == f"examination, not to scale: dates are {reason}"
    drawn = max((line.get_xdata() for line in axes.lines), key=len)
    assert np.asarray(drawn).tolist() == [1, 2, 3]


def test_examinations_of_nearly_the_same_day_are_told_together(result: TrackedExaminations, tmp_path: Path) -> None:
    near = _dated(result, (date(2026, 3, 2), date(2026, 9, 27), date(2026, 9, 28)))
    axes = course_figure(near).axes[1]
    assert {"1", "2, 3"} <= {text.get_text() for text in axes.texts}
    days = _dated(result, (date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)))
    write_course_page(tmp_path / "days.png", days)
    assert (tmp_path / "days.png").stat().st_size > 10_000


def test_one_examination_is_not_enough() -> None:
    with pytest.raises(DataError, match="at least two"):
        drain(tracking([_head((_GROWING, 6))]))
