"""What changed between two examinations is what was drawn into them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from metseg.errors import DataError
from metseg.events import Progress, drain
from metseg.follow_up import (
    FollowUp,
    FollowUpChange,
    Response,
    carried_provenance,
    change_table_csv,
    follow_up_document,
    following,
    register,
)
from metseg.lesions import label_lesions, measure
from metseg.study import Geometry, Study


@pytest.fixture(scope="module")
def result(pair: Any) -> FollowUp:
    return drain(following(pair.before, pair.after))


def at(labels: Any, place: tuple[int, int, int]) -> int:
    """The number of the lesion at, or nearest to, a voxel."""
    nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return int(labels[tuple(nearest[:, place[0], place[1], place[2]])])


@pytest.mark.slow
def test_the_turn_in_the_scanner_is_found_within_a_tenth_of_a_millimetre(pair: Any, result: FollowUp) -> None:
    affine = pair.after.geometry.lps
    points = np.argwhere(pair.after.mask)[::97, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    for point in points:
        truth = pair.turn.TransformPoint(point.tolist())
        assert np.linalg.norm(result.transform.matrix[:3] @ [*point, 1] - truth) < 0.1


def test_every_lesion_is_matched_and_its_change_is_as_drawn(pair: Any, result: FollowUp) -> None:
    found = {lesion.number: lesion.change for lesion in result.lesions}
    earlier = {
        (20, 36, 32): FollowUpChange.GROWN,
        (22, 58, 64): FollowUpChange.SHRUNK,
        (26, 44, 62): FollowUpChange.UNCHANGED,
        (15, 38, 66): FollowUpChange.GONE,
    }
    numbers = {at(result.labels_before, place): change for place, change in earlier.items()}
    assert {number: found.pop(number) for number in numbers} == numbers
    assert list(found.values()) == [FollowUpChange.NEW]
    for number, change in numbers.items():
        assert (result.labels_after == number).any() == (change is not FollowUpChange.GONE)
        assert (result.carried == number).any()


def test_volumes_change_by_what_was_drawn_within_five_per_cent(pair: Any, result: FollowUp) -> None:
    spacing = pair.before.geometry.spacing
    truth = label_lesions(pair.unturned.mask)
    drawn = {lesion.id: lesion for lesion in measure(truth, spacing=spacing)}
    for place in ((20, 36, 32), (22, 58, 64), (26, 44, 62)):
        lesion = next(one for one in result.lesions if one.number == at(result.labels_before, place))
        before, after = lesion.volumes
        assert before == pytest.approx((result.labels_before == lesion.number).sum() * np.prod(spacing))
        assert after == pytest.approx(drawn[at(truth, place)].volume_mm3, rel=0.05)


@pytest.mark.slow
def test_lesions_that_split_and_merge_are_one(make_pair: Any) -> None:
    whole, parts = [(20, 40, 60, 11, 1)], [(20, 40, 57, 4, 1), (20, 40, 63, 4, 2)]
    pair = make_pair(whole, parts)
    for before, after, event in ((pair.before, pair.after, "split"), (pair.after, pair.before, "merged")):
        result = drain(following(before, after))
        assert [lesion.event for lesion in result.lesions] == [event]
        lesion = result.lesions[0]
        assert {len(lesion.before), len(lesion.after)} == {1, 2}
        assert lesion.change is (FollowUpChange.SHRUNK if event == "split" else FollowUpChange.GROWN)


@pytest.mark.slow
def test_what_the_other_examination_does_not_show_is_neither_new_nor_gone(pair: Any) -> None:
    part = slice(0, ndimage.find_objects(label_lesions(pair.after.mask))[-1][0].start)  # not where the highest is
    cut = Study("cut", pair.after.voxels[:, part], pair.after.sequences, pair.after.mask[part], pair.after.geometry)
    for before, after in ((pair.before, cut), (cut, pair.before)):
        changes = {lesion.change for lesion in drain(following(before, after)).lesions}
        assert FollowUpChange.NOT_COVERED in changes


def test_tables_say_what_changed(result: FollowUp) -> None:
    lines = change_table_csv(result).splitlines()
    assert lines[0].startswith("lesion,change,event,volume_before_mm3,volume_after_mm3")
    assert len(lines) == 6
    document = follow_up_document(result)
    assert "research use" in document["purpose"]
    assert document["response"]["response"] == "progressive disease"
    assert len(document["lesions_before"]) == len(document["lesions_after"]) == 4
    assert {one["lesion"] for one in document["lesions_after"]} <= {one["lesion"] for one in document["lesions"]}
    assert result.judgement.response is Response.PROGRESSIVE


def test_what_is_registered_is_not_registered_again(pair: Any, result: FollowUp) -> None:
    again = drain(following(pair.before, pair.after, transform=result.transform))
    assert again.transform is result.transform
    assert again.lesions == result.lesions


def test_carried_outlines_say_where_they_come_from(result: FollowUp) -> None:
    about = carried_provenance(result)
    assert about["carried_from"] == result.before.name
    assert "not corrected" in about["outlined_by"]
    assert about["registration"]["matrix"] == [list(row) for row in result.transform.rows]


def test_it_can_be_stopped_between_any_two_steps(pair: Any) -> None:
    stream = following(pair.before, pair.after)
    assert isinstance(next(stream), Progress)
    stream.close()  # type: ignore[attr-defined]


def test_a_registration_that_is_left_stops_in_that_iteration(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()
    iterations: list[int] = []

    class Watched(sitk.ImageRegistrationMethod):
        """Registers, and counts iterations and levels."""

        def AddCommand(self, event: int, command: Callable[[], None]) -> int:
            def in_iteration() -> None:
                iterations[-1] += 1
                command()

            iterations.append(0)
            return int(super().AddCommand(event, in_iteration))

        def Execute(self, *images: Any) -> Any:
            try:
                return super().Execute(*images)
            finally:
                ended.set()

    monkeypatch.setattr(sitk, "ImageRegistrationMethod", Watched)
    stream = following(pair.before, pair.after)
    assert [next(stream) for _ in range(4)] == [Progress(0, 3, "registering")] * 4
    stream.close()  # type: ignore[attr-defined]
    assert ended.wait(60)
    assert iterations == [3], "the first event comes before any"


def test_what_cannot_be_followed_is_named(pair: Any) -> None:
    before, after = pair.before, pair.after
    unknown = Study("x", before.voxels, before.sequences, before.mask)
    with pytest.raises(DataError, match="spacing must be known"):
        drain(following(unknown, after))
    bare = Study("bare", before.voxels, before.sequences, geometry=before.geometry)
    with pytest.raises(DataError, match="bare: has no mask"):
        drain(following(bare, after))
    with pytest.raises(DataError, match="no sequence is in both"):
        drain(following(before.only(before.sequences[0]), after.only(after.sequences[1])))


@pytest.mark.slow
def test_noise_is_not_laid_on_a_head(pair: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (30, 60, 60)).astype(np.uint8)
    with pytest.raises(DataError, match="laid on each other"):
        register(pair.before.voxels[2], pair.before.geometry, noise, Geometry.spaced((4.0, 3.0, 3.0)))
