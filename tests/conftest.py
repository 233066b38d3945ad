"""What every test can rely on: a display if there is one to be had, and the real data if there is any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if _IS_WORKER:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker has a processor, and shall not fight for the others
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NAPARI_CONFIG", "")  # no file: the settings of whoever works here are neither used nor changed
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let Qt draw into memory where pytest-xvfb found no X server to start and none is running.

    Workers of pytest-xdist each have an X server of their own and find out for themselves.
    """
    if config.getoption("numprocesses", None) and not _IS_WORKER:
        return
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
