"""The process ends well while the widget still looks for networks, with no event loop that could wait for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


_SESSION = """
import napari
import pytest
for left_open in (True, False):
    viewer = napari.Viewer(show_welcome_screen=False)
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Segment lesions")
    print("searching" if widget.state.searching else "at rest")
    if not left_open:
        viewer.close()
"""


def test_one_window_is_closed_at_once_and_one_left_open(viewer: object) -> None:
    """``viewer`` is asked for so that there is a display."""
    result = subprocess.run([sys.executable, "-c", _SESSION], capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["searching", "searching"], result.stdout + result.stderr
    assert result.returncode == 0, f"ended with {result.returncode}: {result.stderr[-2000:]}"
    assert "Traceback" not in result.stderr
