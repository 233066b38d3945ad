"""An examination has the date that its headers say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from metseg.study import read_study
from metseg.study.formats.reader import Acquisition


@pytest.mark.parametrize(
    ("studied", "acquired", "expected"),
    [
        ("20260302", "20260303", date(2026, 3, 2)),
        ("", "20260303", date(2026, 3, 3)),
        ("", "", None),
    ],
)
def test_of_dicom_it_is_that_of_the_study_else_of_the_acquisition(
    save_head_as: Callable[..., dict[str, Path]],
    oblique: Any,
    tmp_path: Path,
    studied: str,
    acquired: str,
    expected: date | None,
) -> None:
    voxels = np.random.default_rng(0).integers(0, 1000, (5, 32, 30)).astype(np.uint16)
    saved = save_head_as(tmp_path, voxels, oblique)
    for path in saved["DICOM"].iterdir():
        data = pydicom.dcmread(path)
        data.StudyDate, data.AcquisitionDate = studied, acquired
        data.save_as(path)
    assert read_study(saved["DICOM"]).date == expected
    assert read_study(saved["NIfTI RAS"]).date is None


@pytest.mark.parametrize("written", ["", "2026", "20261399", "unknown"])
def test_what_is_no_day_is_no_date(written: str) -> None:
    assert Acquisition(date=written).day is None
    assert Acquisition(date="2026.03.02").day == date(2026, 3, 2)
