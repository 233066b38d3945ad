"""What is drawn while a case cannot be saved: it is said, tried again, and rescued when the case closes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status
from metseg.napari_plugin.studio.state import Saved
from metseg.study import read_tiff

Wait = Callable[..., None]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and locks are set as on POSIX systems")


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    """No file can grow, as on a disk that is full."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("capsys")  # what napari prints goes to memory: pytest's own file would be full as well
def test_a_full_disk_is_told_once_and_nothing_is_lost(
    studio: Any, project: Project, patiently: Wait, records: Any, notifications: list[str]
) -> None:
    layer = studio.state.case.labels
    layer.paint((1, 10, 10), 1)
    assert studio.flush()
    kept = layer.data.copy()
    with _full_disk():
        layer.paint((2, 10, 10), 2)
        patiently(lambda: studio.state.saved is Saved.FAILED, 20)
        layer.fill((3, 10, 10), 3)
        layer.undo()
        assert not studio.flush()
        assert "cannot be written" in studio.state.problem
        assert sum("cannot be written" in text for text in notifications) == 1
        np.testing.assert_array_equal(project.read_case("ada").labels, kept)
        studio.cases.set_status(Status.APPROVED)
        patiently(lambda: any("stays corrected, for it is not saved yet" in text for text in notifications), 20)
        studio.open_case("bob")
        patiently(lambda: any("is not saved: " in text for text in notifications), 20)
        assert (studio.state.case.name, studio.state.opening_case) == ("ada", ""), (
            "it is not left while it is not saved"
        )
    studio.cases.save_again()
    patiently(lambda: studio.state.saved is Saved.SAVED, 20)
    np.testing.assert_array_equal(project.read_case("ada").labels, layer.data)
    kinds = [record.kind for record in records(studio.state.case.view)]
    assert kinds == [EditKind.STROKE, EditKind.STROKE, EditKind.FILL, EditKind.UNDO]
    assert studio.state.problem == ""
    assert studio.state.status is Status.CORRECTED


def test_a_case_that_cannot_be_saved_is_kept_in_another_place(
    studio: Any,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    notifications: list[str],
    patiently: Wait,
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layer = studio.state.case.labels
    layer.paint((1, 10, 10), 7)
    assert studio.flush()
    away = project.path.rename(tmp_path / "away")
    layer.paint((2, 10, 10), 8)
    drawn = layer.data.copy()
    studio.close_case()
    patiently(lambda: any("is not saved: " in text for text in notifications), 20)
    assert "the folder is gone" in studio.state.problem
    assert studio.state.case is not None
    studio.cases.close_now()
    [rescued] = tmp_path.glob("metseg-rescued-*/ada-*.tif")
    np.testing.assert_array_equal(read_tiff(rescued)[:, 0], drawn)
    assert any(str(rescued) in text for text in studio.state.messages)
    assert (Project.open(away).read_case("ada").labels == 7).sum() == (drawn == 7).sum()


def test_what_can_be_saved_nowhere_is_said(
    studio: Any, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, patiently: Wait
) -> None:
    import tempfile

    project.path.rename(tmp_path / "away")
    studio.state.case.labels.paint((1, 10, 10), 7)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    studio.cases.close_now()
    patiently(lambda: any("what you drew last is lost" in text for text in studio.state.messages))
