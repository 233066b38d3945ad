"""Damaged files of every format are read as they declare or refused by name, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from metseg.errors import UnreadableFileError
from metseg.study import Study, read_study


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


_JPEGS: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"optimize": True, "quality": 30},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 5, "progressive": True},
]


@pytest.mark.parametrize("options", _JPEGS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_with_another_height_than_its_pixels_have_is_refused(
    tmp_path: Path, head: Study, options: dict[str, Any], mode: str
) -> None:
    """The codec makes up rows, in grey, or leaves some out; without a warning."""
    path = tmp_path / "P_1.jpg"
    for plane in (head.voxels[1, 5, :61], np.zeros((61, 64), np.uint8)):
        Image.fromarray(plane).convert(mode).save(path, "JPEG", **options)
        whole = path.read_bytes()
        assert read_study(path).voxels.shape[2:] == plane.shape
        height = next(whole.index(start) for start in (b"\xff\xc0\0", b"\xff\xc2\0") if start in whole) + 5
        for rows in (8, 32, 88, 128, 1000):
            path.write_bytes(whole[:height] + rows.to_bytes(2, "big") + whole[height + 2 :])
            with pytest.raises(UnreadableFileError, match=f"does not hold the {rows} rows"):
                read_study(path)
