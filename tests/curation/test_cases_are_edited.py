"""What is committed is on the disk, and the case knows who drew what."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metseg.curation import EditKind, Origin, Project, Provenance, Status, session
from metseg.errors import CaseBusyError, DataError, UnreadableFileError
from metseg.study import read_tiff

SHAPE = (4, 12, 14)
Paint = Callable[..., np.ndarray]


def _mask(*places: tuple[int, int, int], size: int = 3) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    for z, y, x in places:
        mask[z, y : y + size, x : x + size] = 1
    return mask


def _predict(case: session.CaseSession, mask: np.ndarray, provenance: Provenance, *, keep_hand: bool = True) -> None:
    case.predict(case.plan_prediction(mask, keep_hand=keep_hand), mask * np.float32(0.8), provenance)


def test_a_commit_is_there_for_others_at_once_and_after_closing(project: Project, paint: Paint) -> None:
    with project.open_case("head", annotator="anna") as case:
        labels = paint(case, (1, 2, 3), 1)
        np.testing.assert_array_equal(project.read_case("head").labels, labels)
        assert case.commit(labels, EditKind.STROKE) is None
        labels = paint(case, (2, 4, 5), 9, kind=EditKind.POLYGON)
    view = project.read_case("head")
    assert view.recovery is None
    np.testing.assert_array_equal(view.labels, labels)
    assert view.next_label == 10
    assert [record.kind for record in view.history()] == ["begin", "stroke", "polygon", "snapshot"]
    assert {record.annotator for record in view.history()} == {"", "anna"}
    snapshots = list((view.folder / "labels").iterdir())
    assert [path.name for path in snapshots] == ["000003.tif"]
    np.testing.assert_array_equal(read_tiff(snapshots[0])[:, 0], labels)


def test_labels_cannot_be_changed_but_by_committing(project: Project) -> None:
    with project.open_case("head") as case, pytest.raises(ValueError, match="read-only"):
        case.labels[0, 0, 0] = 1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int32, np.int64, np.uint16])
def test_labels_of_any_integer_type_are_taken(project: Project, dtype: type) -> None:
    with project.open_case("head") as case:
        case.commit(_mask((0, 1, 1)).astype(dtype), EditKind.OTHER)
        assert case.labels.sum() == 9


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((4, 12, 13), np.uint8), "do not fit"),
        (np.full(SHAPE, 0.5), "whole numbers"),
        (np.full(SHAPE, -1), "between 0 and 65535"),
        (np.full(SHAPE, 65536), "between 0 and 65535"),
    ],
)
def test_what_are_no_labels_is_refused(project: Project, labels: np.ndarray, said: str) -> None:
    with project.open_case("head") as case:
        with pytest.raises(DataError, match=said):
            case.commit(labels, EditKind.STROKE)
        with pytest.raises(DataError, match="JSON"):
            case.commit(_mask((0, 0, 0)), EditKind.TOOL, detail={"tool": object()})
        with pytest.raises(DataError, match="KiB"):
            case.commit(_mask((0, 0, 0)), EditKind.TOOL, detail={"points": "1" * 70_000})
    assert not project.read_case("head").labels.any()
    with pytest.raises(DataError, match="was closed"):
        case.commit(labels, EditKind.STROKE)


def test_a_record_says_what_changed(project: Project, paint: Paint) -> None:
    with project.open_case("head", annotator="a") as case:
        paint(case, (1, 2, 3), 4)
        labels = case.labels.copy()
        labels[1, 2, 3] = 0
        labels[1, 3, 3:5] = 6
        labels[2, 5, 5] = 6
        record = case.commit(labels, EditKind.TOOL, detail={"tool": "split"})
    assert record is not None
    assert record.bbox == ((1, 2, 3), (3, 6, 6))
    assert record.detail == {"tool": "split"}
    four, six = record.lesions[4], record.lesions[6]
    assert (four.voxels, four.gained, four.lost, four.taken) == (6, 0, 1, {})
    assert (six.voxels, six.gained, six.lost, six.taken) == (3, 1, 0, {4: 2})


def test_status_follows_the_work_and_is_said_by_people(project: Project, paint: Paint, provenance: Provenance) -> None:
    with project.open_case("head", annotator="anna") as case:
        assert case.status is Status.TODO
        with pytest.raises(DataError, match="no network"):
            case.set_status(Status.PREDICTED)
        _predict(case, _mask((1, 2, 2)), provenance)
        assert case.status is Status.PREDICTED
        paint(case, (2, 2, 2), 5)
        assert case.status is Status.CORRECTED
        case.set_status(Status.APPROVED)
        assert case.set_status(Status.APPROVED) is None
        with pytest.raises(DataError, match="say why"):
            case.set_status(Status.REJECTED, " ")
    with project.open_case("head", annotator="ben") as case:
        assert case.status is Status.APPROVED
        case.set_status(Status.REJECTED, "moved during the scan")
    view = project.read_case("head")
    assert (view.status, view.reason) == (Status.REJECTED, "moved during the scan")
    with project.open_case("head") as case:
        paint(case, (3, 2, 2), 6)
        assert (case.status, case.reason) == (Status.CORRECTED, "")
    said = [(record.status, record.annotator) for record in project.read_case("head").history() if record.status]
    assert said == [(Status.APPROVED, "anna"), (Status.REJECTED, "ben")]


def test_origins_are_dicoms_words(project: Project, paint: Paint, provenance: Provenance) -> None:
    auto, half, hand = Origin.AUTOMATIC, Origin.SEMIAUTOMATIC, Origin.MANUAL
    with project.open_case("head") as case:
        _predict(case, _mask((0, 1, 1), (2, 1, 1), (2, 6, 6)), provenance)
        before = case.labels.copy()
        assert case.origins() == {1: auto, 2: auto, 3: auto}
        paint(case, (0, 2, 2), 1)
        paint(case, (3, 8, 8), 8)
        paint(case, (1, 8, 1), 9, kind=EditKind.TOOL)
        assert case.origins() == {1: half, 2: auto, 3: auto, 8: hand, 9: half}
        labels = case.labels.copy()
        labels[0] = before[0]
        case.commit(labels, EditKind.UNDO)
        assert case.origins()[1] is auto, "back to exactly what the model drew"
        labels[labels == 8], labels[labels == 2] = 20, 21  # relabelled, outlines as they were
        case.commit(labels, EditKind.TOOL)
        assert case.origins() == {1: auto, 3: auto, 9: half, 20: hand, 21: auto}
        labels[2, 1:3, 1:4] = 22  # split
        case.commit(labels, EditKind.TOOL)
        assert (case.origins()[21], case.origins()[22]) == (half, half)
        labels[labels == 22] = 21  # and put together again
        case.commit(labels, EditKind.TOOL)
        labels[labels == 3] = 0
        case.commit(labels, EditKind.STROKE)
        labels[0, 6:8, 6:8] = 3  # the id of a lesion that was removed: what is drawn now is by hand
        case.commit(labels, EditKind.STROKE)
        found = case.origins()
        assert found == {1: auto, 3: hand, 9: half, 20: hand, 21: auto}
    assert project.read_case("head").origins() == found


def test_statistics_count_what_people_did(project: Project, paint: Paint, provenance: Provenance) -> None:
    with project.open_case("head", annotator="anna") as case:
        _predict(case, _mask((0, 1, 1)), provenance)
        paint(case, (1, 1, 1), 2)
        paint(case, (1, 1, 1), 0, size=2, kind=EditKind.UNDO)
    with project.open_case("head", annotator="ben") as case:
        paint(case, (1, 5, 5), 2)
    counted = project.read_case("head").statistics()
    assert counted.edits == {EditKind.MODEL: 1, EditKind.STROKE: 2, EditKind.UNDO: 1}
    assert (counted.added, counted.removed) == (18, 4)
    assert counted.annotators == ("anna", "ben")
    assert counted.first is not None
    assert counted.last is not None
    assert counted.first <= counted.last


def test_a_prediction_is_kept_with_all_that_made_it(project: Project, provenance: Provenance) -> None:
    mask = _mask((1, 2, 2))
    probabilities = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    with project.open_case("head") as case:
        assert case.prediction() is None
        record = case.predict(case.plan_prediction(mask), probabilities, provenance)
        again = case.predict(case.plan_prediction(mask), probabilities, provenance)
        assert again.seq == record.seq + 1
        assert again.bbox is None
        with pytest.raises(DataError, match="between 0 and 1"):
            case.predict(case.plan_prediction(mask), probabilities * 2, provenance)
    read = project.read_case("head").prediction()
    assert read is not None
    assert read.provenance == provenance
    assert np.abs(read.probabilities - probabilities).max() <= 0.5 / 255 + 1e-6
    assert project.cases()[0].model == "small"
    stored = next((project.path / "cases" / "head" / "predictions").glob("*.tif"))
    data = bytearray(stored.read_bytes())
    data[len(data) // 2] ^= 1
    stored.write_bytes(data)
    with pytest.raises(UnreadableFileError):
        project.read_case("head").prediction()


def test_a_new_prediction_keeps_what_was_drawn_by_hand(project: Project, paint: Paint, provenance: Provenance) -> None:
    with project.open_case("head") as case:
        _predict(case, _mask((0, 1, 1), (0, 6, 6), (2, 1, 1), (2, 8, 8)), provenance)
        one, two, three, four = 1, 2, 3, 4
        paint(case, (0, 7, 7), two)  # edited
        paint(case, (3, 1, 9), 30)  # drawn
        new = _mask((0, 1, 1), (0, 6, 6), (2, 2, 2), (3, 2, 10), (1, 8, 1))
        plan = case.plan_prediction(new)
        assert plan.kept == (two, 30)
        assert plan.unchanged == (one,)
        assert plan.altered == (three,)
        assert plan.removed == (four,)
        assert plan.added == (31,)
        assert plan.left_out == 2
        for label in plan.kept:
            np.testing.assert_array_equal(plan.labels == label, case.labels == label)
        assert "2 kept as drawn by hand" in str(plan)
        everything = case.plan_prediction(new, keep_hand=False)
        assert everything.kept == ()
        assert everything.removed == (two, four, 30)
        np.testing.assert_array_equal(everything.labels > 0, new > 0)
        paint(case, (1, 1, 1), 40)
        with pytest.raises(DataError, match="was edited while"):
            case.predict(plan, new * np.float32(0.5), provenance)
        assert (case.labels == 40).any()
        with pytest.raises(DataError, match="does not fit"):
            case.plan_prediction(new[:3])


def test_threads_may_commit_what_they_draw_together(project: Project) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    with project.open_case("head") as case:

        def draw(number: int) -> None:
            for step in range(10):
                labels[number % 4, number, step] = number + 1
                case.commit(labels, EditKind.STROKE)

        threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(case.labels, labels)
    assert (labels > 0).sum() == 80
    np.testing.assert_array_equal(project.read_case("head").labels, labels)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copied on POSIX systems only")
def test_a_copy_of_the_process_may_not_write(project: Project) -> None:
    with project.open_case("head") as case:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                case.commit(np.ones(SHAPE, np.uint8), EditKind.STROKE)
            except DataError:
                case.close()
                status = 7
            finally:  # whatever happened: else the copy would run the other tests, too
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        with pytest.raises(CaseBusyError):
            project.open_case("head")
        case.commit(_mask((0, 0, 0)), EditKind.STROKE)
    assert project.read_case("head").labels.sum() == 9


_STEP = st.tuples(
    st.sampled_from([EditKind.STROKE, EditKind.FILL, EditKind.TOOL, EditKind.UNDO, EditKind.IMPORT]),
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
    st.integers(0, 4),
    st.integers(1, 4),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(_STEP, st.just("reopen"), st.just("power loss")), max_size=14))
def test_whatever_is_done_comes_back(
    tmp_path_factory: pytest.TempPathFactory, project: Project, monkeypatch: pytest.MonkeyPatch, steps: list[object]
) -> None:
    """A copy of the folder, taken while the case is open, is what a computer finds after losing its power."""
    monkeypatch.setattr(session, "SNAPSHOT_RECORDS", 3)
    path = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(project.path, path)
    expected = np.zeros(SHAPE, np.uint16)
    case = Project.open(path).open_case("head")
    for step in steps:
        if isinstance(step, tuple):
            kind, (z, y, x), label, size = step
            expected[z, y : y + size, x : x + size] = label
            case.commit(expected, kind)
            continue
        statistics, origins = case.statistics(), case.origins()
        if step == "power loss":
            copy = Path(f"{path}+")
            shutil.copytree(path, copy)
            case.close()
            path = copy
        case.close()
        case = Project.open(path).open_case("head")
        np.testing.assert_array_equal(case.labels, expected)
        assert case.statistics() == statistics
        assert case.origins() == origins
        assert case.recovery is None or not case.recovery.harmed
        present = set(np.unique(expected).tolist()) - {0}
        assert {label: int((expected == label).sum()) for label in present} == {
            label: lesion.voxels for label, lesion in case._state.present.items()
        }
    case.close()
    assert [record.seq for record in case.history()] == list(range(1, case.summary.records + 1))
