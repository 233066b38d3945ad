"""Threads that wait do not spin, whichever way metseg is used: they would starve what runs beside them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("set_before", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_openmp_is_told_before_torch_is_there(set_before: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if set_before is not None:
        environment["OMP_WAIT_POLICY"] = set_before
    program = "import metseg, os, sys; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", expected]
