"""``inspect`` counts what is in a folder and lists what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.events import Finished, Progress, drain
from metseg.study import Inspection, inspect, write_tiff


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Patient A with a gap, a duplicate, a bad file and a lesion; patient B of one channel; patient C unreadable."""
    random = np.random.default_rng(0)
    for name in "ABC":
        (tmp_path / name).mkdir()
    for k in (1, 2, 4):
        write_tiff(tmp_path / f"A/A_{k}.tif", random.integers(0, 255, (6, 7, 3), np.uint8), spacing=(5, 1, 1))
        mask = np.zeros((6, 7), np.uint8)
        mask[:k, 0] = 255 * (k > 1)
        write_tiff(tmp_path / f"A/A_{k}_mask.tif", mask)
    write_tiff(tmp_path / "A/A_01.tif", np.zeros((6, 7, 3), np.uint8))
    (tmp_path / "A/A_5.tif").write_bytes(b"")
    write_tiff(tmp_path / "B/B_1.tif", random.integers(0, 255, (8, 8)).astype(np.uint16))
    (tmp_path / "C/C_1.tif").write_bytes(b"nothing")
    return tmp_path


def test_everything_is_counted(folder: Path) -> None:
    inspection = drain(inspect(folder))
    assert (inspection.patients, inspection.slices, inspection.pairs, inspection.lesion_slices) == (3, 4, 3, 2)
    assert inspection.sizes == {"6 x 7": 3, "8 x 8": 1}
    assert inspection.channels == {"3": 3, "1": 1}
    assert inspection.dtypes == {"uint8": 3, "uint16": 1}
    first, second, third = inspection.studies
    assert (first.name, first.slices, first.pairs, first.lesion_slices, first.lesion_voxels) == ("A", 3, 3, 2, 6)
    assert first.spacing == (5.0, 1.0, 1.0)
    assert first.gaps == ("A: missing slices 3",)
    assert len(first.duplicates) == 1
    assert "A_01.tif" in first.duplicates[0]
    assert (second.size, second.channels, second.dtype, second.sequences) == ((8, 8), 1, "uint16", ("unknown",))
    assert (third.slices, third.size) == (0, None)
    assert sorted(finding.path.name for finding in inspection.refused) == ["A_01.tif", "A_5.tif", "C_1.tif"]


def test_it_is_a_stream_that_names_each_patient(folder: Path) -> None:
    *steps, last = inspect(folder)
    assert [(step.done, step.total, step.what) for step in steps if isinstance(step, Progress)] == [
        (0, 3, "A"),
        (1, 3, "B"),
        (2, 3, "C"),
        (3, 3, ""),
    ]
    assert isinstance(last, Finished)


def test_it_is_written_as_json_and_read_back(folder: Path) -> None:
    inspection = drain(inspect(folder))
    text = inspection.model_dump_json(indent=2)
    assert json.loads(text)["studies"][0]["name"] == "A"
    assert Inspection.model_validate_json(text) == inspection


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image in it"):
        drain(inspect(tmp_path))
