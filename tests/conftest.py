"""What every test can rely on: a display if there is one to be had, and the real data if there is any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Let Qt draw into memory where pytest-xvfb found no X server to start and none is running."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository these tests stand in."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def metseg_data() -> Path:
    """The folder of real data that METSEG_DATA names; the test is skipped where there is none."""
    named = os.environ.get("METSEG_DATA")
    if not named:
        pytest.skip("METSEG_DATA is not set: no real data here")
    folder = Path(named)
    if not (folder / "lgg").is_dir():
        pytest.skip(f"METSEG_DATA has no lgg folder: {folder}")
    return folder
