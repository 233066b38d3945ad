"""Damaged files of every format are read as they declare or refused by name, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from metseg.errors import UnreadableFileError
from metseg.study import Study, read_study

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_of_more_pixels_than_its_bytes_can_hold_is_refused_before_it_is_decoded(
    tmp_path: Path, head: Study, kind: str
) -> None:
    path = tmp_path / f"P_1.{'jpg' if kind == 'JPEG' else 'png'}"
    for plane in (np.zeros((2000, 3000), np.uint8), head.voxels[1, 5]):  # the blank one is as small as can be
        Image.fromarray(plane).save(path, kind, **({"optimize": True} if kind == "JPEG" else {"compress_level": 9}))
        assert read_study(path).voxels.shape[2:] == plane.shape
    whole = path.read_bytes()
    sides = whole.index(b"\xff\xc0\0") + 5 if kind == "JPEG" else 16
    size = 2 if kind == "JPEG" else 4
    larger = bytearray(whole)
    larger[sides : sides + 2 * size] = (25_000).to_bytes(size, "big") * 2
    if kind == "PNG":
        larger[29:33] = zlib.crc32(larger[12:29]).to_bytes(4, "big")
    path.write_bytes(larger)
    with pytest.raises(UnreadableFileError, match="cannot hold 25000 x 25000 pixels"):
        read_study(path)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds are kept by Linux' rlimit")
@pytest.mark.parametrize("name", ["a.png", "a.nii"])
def test_what_does_not_fit_into_memory_is_refused_by_name(tmp_path: Path, name: str) -> None:
    plane = np.zeros((20_000, 20_000), np.uint8)
    if name == "a.png":
        Image.fromarray(plane).save(tmp_path / name, "PNG")
    else:
        nibabel.save(nibabel.Nifti1Image(plane[..., None], np.eye(4)), tmp_path / name)
    code = (
        "import resource, sys; from pathlib import Path; import imagecodecs, nibabel, numpy\n"
        "from metseg.study import find_studies, load\n"
        "from metseg.study.resampling import image_of\n"
        "import PIL.PngImagePlugin, PIL.ImageFile\n"
        "taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (taken + (300 << 20),) * 2)\n"
        "loaded = load(find_studies(Path(sys.argv[1]))[0])\n"
        "print(len(loaded.studies), [problem.kind.value for problem in loaded.problems], loaded.problems[0].reason)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 ['too large'")
    assert "memory" in done.stdout
