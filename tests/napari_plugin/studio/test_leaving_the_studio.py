"""A window is closed, and a process ends, while a case is open: everything is on the disk and the case is closed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from metseg.curation import Project

pytestmark = pytest.mark.slow


_SESSION = """
import sys
import napari
from pathlib import Path
from qtpy.QtWidgets import QApplication
from metseg.curation import Project
import pytest

for name, left_open in (("ada", False), ("bob", True)):
    viewer = napari.Viewer(show_welcome_screen=False)
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio = widget.studio
    studio.find_networks = lambda: None
    studio.open_project(Path(sys.argv[1]))
    while studio.state.project is None:
        QApplication.processEvents()
    studio.open_case(name)
    while studio.state.case is None:
        QApplication.processEvents()
    studio.state.case.labels.paint((1, 10, 10), 1)
    if not left_open:
        viewer.close()
        QApplication.processEvents()
        with Project.open(sys.argv[1]).open_case(name, timeout=10) as session:
            print("closed", int((session.labels == 1).sum()) > 0, session.recovery)
"""


def test_one_window_is_closed_and_one_left_open(window: object, project: Project) -> None:
    """``window`` is asked for so that there is a display."""
    result = subprocess.run(
        [sys.executable, "-c", _SESSION, str(project.path)], capture_output=True, text=True, check=False
    )
    assert result.stdout.split() == ["closed", "True", "None"], result.stdout + result.stderr
    assert result.returncode == 0, f"ended with {result.returncode}: {result.stderr[-2000:]}"
    assert "Traceback" not in result.stderr
    with project.open_case("bob") as session:
        assert session.labels.any()
        assert session.recovery is None
