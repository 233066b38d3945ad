"""Which slices were looked at is kept with who and when, and an approval can be taken back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, EntryKind, Project, Provenance, Status, case_benefit, review_progress
from metseg.curation.journal import read_segment, segment_paths
from metseg.curation.record import encode
from metseg.errors import DataError

SHAPE = (4, 12, 14)


@pytest.fixture
def predicted(project: Project, provenance: Provenance) -> Project:
    """The project with ``head`` predicted: unsure of slices 0 to 2, of 2 most of all."""
    p = np.zeros(SHAPE, np.float32)
    p[0, 2:8, 2:8], p[1, 2:8, 2:8], p[2, 2:8, 2:8] = 0.75, 0.7, 0.6
    with project.open_case("head") as session:
        session.predict(session.plan_prediction(p >= 0.5), p, provenance)
    return project


def test_reviewed_slices_are_there_when_the_case_is_opened_again(predicted: Project) -> None:
    with predicted.open_case("head", annotator="rater 1") as session:
        record = session.mark_reviewed([2, 1, 2])
        assert session.mark_reviewed([1]) is None
        with pytest.raises(DataError, match="these are none"):
            session.mark_reviewed([4])
    assert record is not None
    assert (record.kind, record.slices, record.annotator) == (EntryKind.REVIEWED, (1, 2), "rater 1")
    assert record.time.tzinfo is not None
    view = predicted.read_case("head")
    assert view.reviewed == {1, 2}
    assert view.status is Status.PREDICTED
    assert [case.reviewed for case in predicted.cases()] == [2]
    assert review_progress(predicted.cases()).slices == (2, 4)


def test_notes_are_kept_with_who_and_when_and_change_nothing_else(predicted: Project) -> None:
    with predicted.open_case("head", annotator="rater 1") as session:
        before = session.status, session.reviewed, session.statistics().edits
        record = session.add_note("  second reader, please ")
        assert (record.kind, record.reason) == (EntryKind.NOTE, "second reader, please")
        for text in ("", "   ", "x" * 2001):
            with pytest.raises(DataError, match="a note has"):
                session.add_note(text)
        assert (session.status, session.reviewed, session.statistics().edits) == before
        session.add_note("seen")
    notes = predicted.read_case("head").notes()
    assert [(note.text, note.annotator) for note in notes] == [
        ("second reader, please", "rater 1"),
        ("seen", "rater 1"),
    ]
    assert notes[0].time == record.time


def test_the_slices_that_matter_stay_the_same_while_they_are_reviewed(
    predicted: Project, paint: Callable[..., np.ndarray]
) -> None:
    with predicted.open_case("head") as session:
        before = case_benefit(session)
        assert before is not None
        assert before.plan is not None
        assert set(before.plan.first) == {0, 1, 2}
        assert (before.leading, before.plan.left) == (3, before.plan.first)
        session.mark_reviewed([2])
        paint(session, (1, 6, 6), 1)
        after = case_benefit(session)
        assert after is not None
        assert after.plan is not None
        assert (after.plan.first, after.plan.gains) == (before.plan.first, before.plan.gains)
        assert (after.plan.reviewed, after.plan.left, after.leading) == ({1, 2}, (0,), 1)
        assert [one.z for one in after.slices] == [0, 3]
        assert after.dice > before.dice


def test_a_new_prediction_has_to_be_looked_at_anew(predicted: Project, provenance: Provenance) -> None:
    p = np.zeros(SHAPE, np.float32)
    p[1, 2:8, 2:8] = 0.9
    with predicted.open_case("head") as session:
        session.mark_reviewed([0, 1])
        plan = session.plan_prediction(p >= 0.5)
        session.mark_reviewed([2])
        session.predict(plan, p, provenance)
        assert session.reviewed == set()


def test_an_approval_is_taken_back_to_where_the_case_stood(
    predicted: Project, paint: Callable[..., np.ndarray]
) -> None:
    with predicted.open_case("head", annotator="rater 1") as session:
        assert session.reopen() is None
        session.set_status(Status.APPROVED)
        session.set_status(Status.REJECTED, "moved")
        session.reopen()
        assert (session.status, session.reason) == (Status.PREDICTED, "")
        paint(session, (1, 6, 6), 1)
        session.set_status(Status.APPROVED)
    with predicted.open_case("head", annotator="rater 2") as session:
        record = session.reopen()
        assert session.status is Status.CORRECTED
    assert record is not None
    assert (record.status, record.annotator) == (Status.CORRECTED, "rater 2")


def test_a_case_that_was_rejected_unseen_is_to_do_again(project: Project) -> None:
    with project.open_case("head") as session:
        session.set_status(Status.REJECTED, "another patient")
        session.reopen()
        assert session.status is Status.TODO


def test_projects_of_older_versions_know_what_was_drawn_on(project: Project, paint: Callable[..., np.ndarray]) -> None:
    with project.open_case("head") as session:
        paint(session, (1, 6, 6), 1)
        paint(session, (3, 6, 6), 1)
    folder = project.path / "cases" / "head"
    _as_older_versions_wrote(folder)
    assert [case.reviewed for case in project.cases()] == [2]
    assert project.read_case("head").reviewed == {1, 3}
    with project.open_case("head") as session:
        assert session.recovery is None
        session.mark_reviewed([0])
        assert session.reviewed == {0, 1, 3}
    assert project.read_case("head").reviewed == {0, 1, 3}
    assert [case.reviewed for case in project.cases()] == [3]


def test_a_list_of_an_older_version_still_tells_that_records_are_lost(
    project: Project, paint: Callable[..., np.ndarray]
) -> None:
    with project.open_case("head") as session:
        paint(session, (1, 6, 6), 1)
        records = session.summary.records
    folder = project.path / "cases" / "head"
    _as_older_versions_wrote(folder)
    for path in segment_paths(folder)[1:]:
        path.unlink()
    first = segment_paths(folder)[0]
    first.write_bytes(first.read_bytes()[: read_segment(first).frames[0].size])
    lost = project.read_case("head").recovery
    assert lost is not None
    assert lost.lost >= records - 1


def _as_older_versions_wrote(folder: Path) -> None:
    """Take out of journal and cache what version 0.1 did not know: reviewed slices, and the target in the cache."""
    newest = segment_paths(folder)[-1]
    [frame] = read_segment(newest).frames
    assert frame.record.base is not None
    state = frame.record.base.state.model_copy(update={"reviewed": None})
    record = frame.record.model_copy(update={"base": frame.record.base.model_copy(update={"state": state})})
    assert b"reviewed" not in encode(record)
    newest.write_bytes(encode(record))
    cached = json.loads((folder / "state.json").read_text())
    for name in ("reviewed", "target"):
        del cached["summary"][name]
    summary = json.dumps(cached["summary"], separators=(",", ":"), ensure_ascii=False)
    cached |= {"bytes": newest.stat().st_size, "sha256": hashlib.sha256(summary.encode()).hexdigest()}
    (folder / "state.json").write_text(json.dumps(cached))
    assert EditKind.STROKE in {one.record.kind for path in segment_paths(folder) for one in read_segment(path).frames}
