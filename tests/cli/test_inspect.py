"""``metseg inspect``: what it says about a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_patients_slices_and_masks_are_counted(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    write_patient(tmp_path / "a", slices=3)
    write_patient(tmp_path / "b", slices=2, masks=False)
    done = metseg("inspect", tmp_path)
    assert done.status == 0
    assert "2 patients, 5 slices, 3 with a mask" in done.out
    assert "64 x 64 x 3 uint8" in done.out
    assert "Numbers in masks, and in how many studies: 255 in 1; all are lesion" in done.out
    assert "255 in 1; lesion: 1, 3" in metseg("inspect", tmp_path, "--labels", "1,3").out


def test_gaps_and_refused_files_are_named(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "a", slices=5, masks=False)
    (patient / "a_3.tif").unlink()
    (patient / "a_5.tif").write_bytes(b"no image")
    done = metseg("inspect", tmp_path)
    assert done.status == 1
    assert str(patient / "a_5.tif") in done.out.partition("Refused:")[2]
    assert "missing slices 3" in done.out.partition("Remarks:")[2]


def test_json_is_for_programs(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    write_patient(tmp_path / "a", slices=3)
    found = json.loads(metseg("inspect", tmp_path, "--json").out)
    assert (found["patients"], found["slices"], found["pairs"]) == (1, 3, 3)
    assert found["studies"][0]["sequences"] == ["pre-contrast", "flair", "post-contrast"]


def test_a_real_patient_is_whole(metseg: Any, metseg_data: Path) -> None:
    """All of them: tests/study/test_real_heads.py."""
    patient = min((metseg_data / "lgg").iterdir())
    found = json.loads(metseg("inspect", patient, "--json").out)
    assert (found["patients"], found["pairs"]) == (1, found["slices"])
    assert found["slices"] == len(list(patient.glob("*_mask.tif")))
    assert [finding for finding in found["problems"] if finding["refused"]] == []
