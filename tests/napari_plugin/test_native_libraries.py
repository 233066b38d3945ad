"""PyTorch comes after OpenGL in a real session, and that must not end the process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


_SESSION = """
from qtpy.QtWidgets import QApplication
import napari, numpy
from metseg.napari_plugin.pipeline import find_choices
viewer = napari.Viewer(show_welcome_screen=False)
viewer.add_image(numpy.eye(9))
for _ in range(20):
    QApplication.processEvents()
print("LLVM" if "libLLVM" in open("/proc/self/maps").read() else "no LLVM")
find_choices()
import segmentation_models_pytorch, sys
print("torch" in sys.modules, "alive")
viewer.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the clash of Mesa's and Triton's LLVM is one of Linux")
def test_torch_is_imported_after_the_first_picture_was_drawn(viewer: object) -> None:
    """``viewer`` is asked for so that there is a display."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("this PyTorch brings no Triton")
    result = subprocess.run([sys.executable, "-c", _SESSION], capture_output=True, text=True, check=False)
    if "no LLVM" in result.stdout:
        pytest.skip("this OpenGL has no LLVM")
    assert result.returncode == 0, f"ended with {result.returncode}: {result.stderr[-2000:]}"
    assert "True alive" in result.stdout
