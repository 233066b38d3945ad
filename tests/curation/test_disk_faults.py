"""A disk that is full, read-only or gone: the user is told, the old state stays, and the next commit makes it good."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Provenance, Status, record, session
from metseg.errors import CaseBusyError, DataError
from metseg.study import Study

SHAPE = (4, 12, 14)
Paint = Callable[..., np.ndarray]
posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and links are set as on POSIX systems")


def _noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 9, SHAPE).astype(np.uint16)


def _commit_for_ever(case: session.CaseSession) -> None:
    for seed in itertools.count(100):
        case.commit(_noise(seed), EditKind.STROKE)


@contextlib.contextmanager
def _no_file_longer_than(size: int) -> Iterator[None]:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """Mount something on ``folder``; skip where that is not allowed."""
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("nothing can be mounted here")
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@posix
@pytest.mark.parametrize("room", [0, 1, 31, 40, 300])
def test_half_a_record_is_cut_off_and_the_next_commit_carries_what_was_missed(
    project: Project, paint: Paint, room: int
) -> None:
    with project.open_case("head") as case:
        kept = paint(case, (0, 1, 1), 1)
        [segment] = (case.folder / "journal").glob("*.log")
        before = segment.read_bytes()
        with _no_file_longer_than(len(before) + room), pytest.raises(DataError, match="cannot be written"):
            case.commit(_noise(), EditKind.STROKE)
        assert segment.read_bytes() == before
        np.testing.assert_array_equal(case.labels, kept)
        np.testing.assert_array_equal(project.read_case("head").labels, kept)
        wanted = _noise()
        wanted[1, 1, 1] = 77
        assert case.commit(wanted, EditKind.STROKE) is not None
    view = project.read_case("head")
    assert view.recovery is None
    np.testing.assert_array_equal(view.labels, wanted)


def test_where_no_snapshot_can_be_taken_the_journal_is_enough(
    project: Project, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SNAPSHOT_RECORDS", 2)
    folder = project.path / "cases" / "head" / "labels"
    folder.rmdir()
    folder.write_text("in the way")
    with project.open_case("head") as case:
        for step in range(5):
            labels = paint(case, (step % 4, step, step), step + 1)
    folder.unlink()
    with project.open_case("head") as case:
        np.testing.assert_array_equal(case.labels, labels)
        assert str(case.recovery) == "The case was not closed properly; 5 changes were brought back."
    assert [path.name for path in folder.iterdir()] == ["000006.tif"]
    assert project.read_case("head").recovery is None


@posix
def test_a_prediction_that_does_not_fit_the_disk_changes_nothing(
    project: Project, provenance: Provenance, paint: Paint
) -> None:
    with project.open_case("head") as case:
        kept = paint(case, (0, 1, 1), 1)
        mask = _noise() > 4
        probabilities = np.random.default_rng(0).random(case.shape).astype(np.float32)
        plan = case.plan_prediction(mask)
        with _no_file_longer_than(200), pytest.raises(DataError, match="cannot be written"):
            case.predict(plan, probabilities, provenance)
        np.testing.assert_array_equal(case.labels, kept)
        assert case.prediction() is None
        assert case.status is Status.CORRECTED
        case.predict(plan, probabilities, provenance)
        np.testing.assert_array_equal(case.labels, plan.labels)


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, study: Study, provenance: Provenance) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with _mounted(disk, "-t", "tmpfs", "-o", "size=400k", "tmpfs"):
        project = Project.create(disk / "project")
        project.add(study)
        kept, wanted = _noise(1), _noise(2)
        with project.open_case("head") as case:
            case.commit(kept, EditKind.STROKE)
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 512)
            with pytest.raises(DataError, match="the disk is full; free some space and go on"):
                _commit_for_ever(case)
            kept = case.labels.copy()
            np.testing.assert_array_equal(project.read_case("head").labels, kept)
            with pytest.raises(DataError, match="disk is full"):
                case.set_status(Status.REJECTED, "x" * 5000)
            assert case.status is Status.CORRECTED
        with project.open_case("head") as case:  # still full: it opens, and says nothing was lost
            np.testing.assert_array_equal(case.labels, kept)
            assert case.recovery is None or not case.recovery.harmed
            filler.unlink()
            case.commit(wanted, EditKind.STROKE)
        view = project.read_case("head")
        np.testing.assert_array_equal(view.labels, wanted)
        assert view.recovery is None


def _assert_only_readable(project: Project, labels: np.ndarray, study: Study) -> None:
    reading = Project.open(project.path)
    assert reading.cases()[0].status is Status.CORRECTED
    np.testing.assert_array_equal(reading.read_case("head").labels, labels)
    for attempt in (lambda: reading.open_case("head"), lambda: Project.create(project.path / "cases" / "deeper")):
        with pytest.raises(DataError, match=r"[Rr]ead-only|Permission denied"):
            attempt()
    assert reading.add(study).name == "head", "it is there already"


def test_a_read_only_folder_can_be_looked_at(project: Project, study: Study, paint: Paint) -> None:
    with project.open_case("head") as case:
        labels = paint(case, (0, 1, 1), 1)
    with _mounted(project.path, "--bind", str(project.path)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(project.path)], check=True)
        _assert_only_readable(project, labels, study)
    with project.open_case("head") as case:
        paint(case, (1, 1, 1), 2)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_can_be_looked_at(project: Project, study: Study, paint: Paint) -> None:
    with project.open_case("head") as case:
        labels = paint(case, (0, 1, 1), 1)
    entries = [project.path, *project.path.rglob("*")]
    for path in entries:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        _assert_only_readable(project, labels, study)
    finally:
        for path in entries:
            path.chmod(0o755 if path.is_dir() else 0o644)


@posix
def test_a_folder_that_goes_and_comes_back_loses_nothing(project: Project, paint: Paint) -> None:
    with project.open_case("head") as case:
        kept = paint(case, (0, 1, 1), 1)
        away = case.folder.with_name("away")
        case.folder.rename(away)
        wanted = _noise(4)
        with pytest.raises(DataError, match="the folder is gone; put it back"):
            case.commit(wanted, EditKind.STROKE)
        np.testing.assert_array_equal(case.labels, kept)
        away.rename(case.folder)
        np.testing.assert_array_equal(project.read_case("head").labels, kept)
        case.commit(wanted, EditKind.STROKE)
        np.testing.assert_array_equal(project.read_case("head").labels, wanted)


@posix
def test_a_folder_deleted_under_the_session_is_noticed(project: Project, study: Study, paint: Paint) -> None:
    with project.open_case("head") as case:
        paint(case, (0, 1, 1), 1)
        shutil.rmtree(project.path)
        for _ in range(2):
            with pytest.raises(DataError, match="the folder is gone"):
                paint(case, (1, 1, 1), 2)
        case.close()
    assert not project.path.exists()


@posix
def test_another_folder_in_its_place_is_not_written_to(project: Project, paint: Paint) -> None:
    copy = project.path.with_name("copy")
    with project.open_case("head") as case:
        kept = paint(case, (0, 1, 1), 1)
        shutil.copytree(project.path, copy)
        project.path.rename(project.path.with_name("old"))
        copy.rename(project.path)
        with pytest.raises(DataError, match="the folder is gone"):
            paint(case, (1, 1, 1), 2)
        np.testing.assert_array_equal(project.read_case("head").labels, kept)


def test_a_journal_that_another_program_writes_to_is_left_alone(project: Project, paint: Paint) -> None:
    with project.open_case("head") as case:
        paint(case, (0, 1, 1), 1)
        [segment] = (case.folder / "journal").glob("*.log")
        with segment.open("ab") as file:
            file.write(b"foreign")
        with pytest.raises(DataError, match="changed by another program"):
            paint(case, (1, 1, 1), 2)
        assert segment.read_bytes().endswith(b"foreign")


def test_a_clock_that_is_set_back_changes_no_order(
    project: Project, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The computer's own clock cannot be set in a test: what reads it is replaced, and files are dated back."""
    start = datetime(2030, 1, 1, tzinfo=UTC)
    for days in range(4):
        monkeypatch.setattr(session, "now", lambda days=days: start - timedelta(days=400 * days))
        with project.open_case("head") as case:
            paint(case, (days, 1, 1), days + 1)
            labels = paint(case, (days, 5, 5), days + 5)
        for number, path in enumerate(sorted(case.folder.rglob("*"))):
            os.utime(path, (1e9 - 1e6 * number, 1e9 - 1e6 * number))
    view = project.read_case("head")
    assert view.recovery is None
    np.testing.assert_array_equal(view.labels, labels)
    times = [entry.time for entry in view.history() if entry.kind is EditKind.STROKE]
    assert times == sorted(times, reverse=True)
    assert [entry.seq for entry in view.history()] == list(range(1, 14))
    counted = view.statistics()
    assert (counted.first, counted.last) == (times[0], times[-1])
    assert record.now() < start
    with project.open_case("head"), pytest.raises(CaseBusyError):
        project.open_case("head")
