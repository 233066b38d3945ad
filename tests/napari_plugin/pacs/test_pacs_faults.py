"""What goes wrong between a real PACS (Orthanc) and a real window: sign-in, stops, hangs, files left behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from qtpy.QtCore import QSettings, QTimer

from metseg.dicomweb import Credentials
from metseg.napari_plugin.pacs import downloads
from metseg.napari_plugin.state import Activity
from metseg.study import Study, read_study

pytest.importorskip("dicomweb_client")
pytestmark = pytest.mark.slow


def test_a_wrong_password_is_said_and_the_sign_in_shown(
    viewer: Any, pacs: Any, open_pacs: Callable[..., Any], find: Callable[..., None], notifications: list[str]
) -> None:
    widget = open_pacs(pacs.url, "wrong")
    find(widget)
    assert "refused us (401)" in widget.state.problem
    assert "wrong" not in widget.state.problem
    assert widget.connection.change.isChecked()
    widget.connection.secret.setText("secret")
    find(widget)
    assert widget.state.problem == ""
    assert not widget.connection.change.isChecked()
    find(widget, "nobody")
    assert widget.state.message.startswith("No MR study fits")


def test_a_pacs_that_is_stopped_in_the_middle_leaves_the_viewer_as_it_was(
    viewer: Any,
    start_orthanc: Callable[..., Any],
    examination: Path,
    open_pacs: Callable[..., Any],
    find: Callable[..., None],
    patiently: Callable[..., None],
    tmp_path: Path,
) -> None:
    pacs = start_orthanc()
    first = pydicom.dcmread(sorted(examination.iterdir())[0])
    first.Rows = first.Columns = 1024
    first.PixelData = np.random.default_rng(0).integers(0, 4000, (1024, 1024), np.uint16).tobytes()
    first.SeriesInstanceUID = "1.2.3.7"
    for number in range(40):
        first.SOPInstanceUID = first.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.7.{number}"
        first.ImagePositionPatient = [0, 0, number]
        first.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    pacs.put(tmp_path)
    widget = open_pacs(pacs.url)
    find(widget)

    def stop(progress: Any) -> None:
        if progress.done >= 3:
            widget.state.events.progress.disconnect(stop)
            pacs.stop()

    widget.state.events.progress.connect(stop)
    folder = downloads.downloads()
    before = set(folder.rglob("*.dcm"))
    widget.result.open.click()
    patiently(lambda: not widget.controller.busy)
    assert "of 40 images; nothing of them is kept, try again" in widget.state.problem
    assert not viewer.layers
    assert set(folder.rglob("*.dcm")) == before
    pacs.start()
    widget.result.open.click()
    patiently(lambda: not widget.controller.busy)
    assert viewer.layers[-1].data.shape == (40, 1024, 1024)
    assert widget.state.problem == ""


def test_a_pacs_that_never_answers_does_not_stop_the_window_and_can_be_left(
    viewer: Any, open_pacs: Callable[..., Any], patiently: Callable[..., None], qtbot: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        widget = open_pacs(f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web")
        widget.search.button.click()
        connection, _ = silent.accept()
        ticks: list[int] = []
        timer = QTimer()
        timer.timeout.connect(lambda: ticks.append(1))
        timer.start(1)
        patiently(lambda: len(ticks) > 20)
        assert widget.state.activity is Activity.RUNNING
        widget.search.work.cancel.click()
        assert widget.state.activity is Activity.IDLE
        assert widget.search.button.isEnabled()
        timer.stop()
        connection.close()


def test_what_is_typed_is_neither_kept_in_a_file_nor_shown(
    viewer: Any, pacs: Any, open_pacs: Callable[..., Any], find: Callable[..., None], tmp_path: Path
) -> None:
    widget = open_pacs(pacs.url)
    find(widget)
    QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-metseg", "studio").sync()
    written = [path.read_text() for path in (tmp_path / "settings").rglob("*") if path.is_file()]
    assert any("dicom-web" in text for text in written)
    assert not any(
        "secret" in text or Credentials.of_password("metseg", "secret").authorization in text for text in written
    )
    assert "secret" not in repr(widget.connection.sign_in)


def test_what_a_killed_napari_fetched_is_removed_and_what_another_uses_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1];"
        "from metseg.napari_plugin.pacs.downloads import new_folder;"
        "folder = new_folder('P1'); folder.mkdir(); print(folder, flush=True); sys.stdin.read()"
    )

    def napari() -> tuple[subprocess.Popen[str], Path]:
        command = [sys.executable, "-c", code, str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    killed, left = napari()
    running, used = napari()
    assert left.exists()
    killed.kill()
    killed.communicate()
    assert left.exists()
    last, _ = napari()
    assert used.exists()
    assert not left.exists()
    for process in (running, last):
        process.communicate("")
    assert not list(tmp_path.iterdir())


def test_outlines_of_other_files_are_not_offered(
    viewer: Any, study: Study, add: Callable[..., None], open_pacs: Callable[..., Any], examination: Path
) -> None:
    add(viewer, study)
    viewer.add_labels(np.zeros(study.shape, np.uint8))
    widget = open_pacs("")
    assert widget.state.outlines == ()
    assert not widget.storing.isVisible()
    assert read_study(examination).stored is not None
