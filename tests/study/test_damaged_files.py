"""Damaged files of every format are read as they declare or refused by name, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="bounds are kept by Linux' fork and rlimit")
def test_hundreds_of_damaged_files_have_no_fault(repository: Path) -> None:
    script = repository / "docs/scripts/fuzz_formats.py"
    done = subprocess.run(
        [sys.executable, script, "--number", "290", "--seed", "20"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(", 0 faults")
