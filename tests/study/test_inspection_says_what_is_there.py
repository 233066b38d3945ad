"""``inspect`` counts what is in a folder and lists what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.events import Finished, Progress, drain
from metseg.study import Inspection, Role, Sequence, Study, inspect, write_tiff, write_volume


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


def test_numbers_of_masks_are_counted_without_those_of_a_mask_that_is_left_out(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 500, (1, 3, 6, 7)).astype(np.int16)
    study = Study("a", voxels, (Sequence.POST,))
    binary, labelled = np.zeros((2, 3, 6, 7), np.uint8)
    binary[1, 2:4, 2:4] = 1
    labelled[1, 1:5, 1:5] = 2
    labelled[1, 2:4, 2:4] = 3
    for visit in ("100101A", "100101B"):
        (tmp_path / visit).mkdir()
        write_volume(tmp_path / visit / f"{visit}_T1post.nii.gz", voxels[0], study)
        write_volume(tmp_path / visit / f"{visit}_seg.nii.gz", binary, study)
        write_volume(tmp_path / visit / f"{visit}_BraTS-seg.nii.gz", labelled, study)
    inspection = drain(inspect(tmp_path))
    assert [study.mask_values for study in inspection.studies] == [{"1": 4}, {"1": 4}]
    masks = [file.path.name for file in inspection.files if file.role is Role.MASK]
    assert masks == ["100101A_seg.nii.gz", "100101B_seg.nii.gz"]
    left_out = [finding.path.name for finding in inspection.problems if "left out" in finding.reason]
    assert left_out == ["100101A_BraTS-seg.nii.gz", "100101B_BraTS-seg.nii.gz"]
