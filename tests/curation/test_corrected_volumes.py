"""A mask that was corrected in another program comes back to the voxels of its case, whatever the order of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from metseg.curation.corrections import read_corrections
from metseg.errors import UnreadableFileError
from metseg.study import read_study, writer_of


@pytest.mark.parametrize("kind", ["NIfTI PIR", "NRRD", "DICOM"])
def test_masks_in_another_order_of_voxels_are_taken_back(
    one_head: dict[str, Path], flair: Any, tmp_path: Path, kind: str
) -> None:
    study = read_study(one_head[kind])
    drawn = sitk.ReadImage(str(one_head["NIfTI RAS"])) > 3000
    sitk.WriteImage(drawn, str(tmp_path / f"{study.name}_mask.nii.gz"))
    corrections = read_corrections(study, tmp_path)
    assert corrections.slices == tuple(range(10))
    assert np.array_equal(corrections.mask, flair > 3000)
    assert not corrections.left_over


def test_masks_of_another_place_are_refused(one_head: dict[str, Path], tmp_path: Path) -> None:
    study = read_study(one_head["NIfTI PIR"])
    drawn = sitk.ReadImage(str(one_head["NIfTI RAS"])) > 3000
    drawn.SetOrigin([place + 5 for place in drawn.GetOrigin()])
    sitk.WriteImage(drawn, str(tmp_path / "head_mask.nii.gz"))
    with pytest.raises(UnreadableFileError, match="does not fit head"):
        read_corrections(study, tmp_path)


def test_a_dicom_segmentation_is_taken_back(one_head: dict[str, Path], flair: Any, tmp_path: Path) -> None:
    study = read_study(one_head["DICOM"])
    drawn = np.zeros(study.shape, np.uint8)
    drawn[4:7] = flair[4:7] > 3000
    path = tmp_path / f"{study.name}_mask.dcm"
    writer_of(path).write(path, drawn, study, mask=True, about=None)
    assert np.array_equal(read_corrections(study, tmp_path).mask, drawn)
