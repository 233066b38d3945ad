"""What can be done with a segmentation: its lesions as a table, its mask as a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import SimpleITK

import metseg
from metseg.errors import DataError
from metseg.inference import Segmentation, with_surroundings
from metseg.lesions import LESION_COLUMNS
from metseg.study import Study, read_tiff


@pytest.fixture(scope="module")
def result(two_targets_folder: Path, head: Study) -> Segmentation:
    with metseg.load_model(two_targets_folder / "best", device="cpu") as network:
        return network.segment(head)


def test_lesions_are_a_table_with_one_row_each(result: Segmentation) -> None:
    assert isinstance(result.lesions, pandas.DataFrame)
    assert list(result.lesions.columns) == list(LESION_COLUMNS)
    assert result.lesions["voxels"].sum() == result.mask.sum()
    voxel = np.prod(result.study.geometry.spacing or ())
    np.testing.assert_allclose(result.lesions["volume_mm3"], result.lesions["voxels"] * voxel)


def test_what_enhances_knows_the_abnormality_around_it_where_both_are_outlined(
    result: Segmentation, two_targets_folder: Path, head: Study
) -> None:
    with metseg.load_model(two_targets_folder / "metastases", device="cpu") as network:
        alone = network.segment(head)
    flair, enhancing = with_surroundings([result, alone])
    assert flair.lesions["surrounding_voxels"].isna().all()
    assert alone.lesions["surrounding_voxels"].isna().all()
    around = enhancing.lesions["surrounding_voxels"].sum()
    assert 0 < around <= np.count_nonzero((result.mask > 0) & (alone.mask == 0))


def test_a_mask_is_saved_with_its_provenance_and_only_replaced_if_nobody_edited_it(
    result: Segmentation, tmp_path: Path
) -> None:
    path = result.save(tmp_path / "new" / "mask.nii.gz")
    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert stored.sum() == result.mask.sum()
    sidecar = json.loads((tmp_path / "new" / "mask.json").read_text(encoding="utf-8"))
    assert sidecar["weights_sha256"] == result.weights_sha256
    with pytest.raises(DataError, match="overwrite=True"):
        result.save(path)
    assert result.save(path, overwrite=True) == path
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)) * 0, str(path))
    with pytest.raises(DataError, match="edited since"):
        result.save(path, overwrite=True)


def test_the_ending_decides_the_format(result: Segmentation, tmp_path: Path) -> None:
    pages = read_tiff(result.save(tmp_path / "mask.tif"))
    np.testing.assert_array_equal(np.squeeze(pages), result.mask * 255)
    with pytest.raises(DataError, match=r"must end with \.tif or \.nii\.gz or"):
        result.save(tmp_path / "mask.png")


@pytest.mark.slow
def test_a_dicom_series_is_answered_as_dicom(
    two_targets_folder: Path, one_head: dict[str, Path], tmp_path: Path
) -> None:
    with metseg.load_model(two_targets_folder / "metastases", device="cpu") as network:
        result = network.segment(metseg.read(one_head["DICOM"]))
    path = result.save(tmp_path / "a.dcm")
    assert result.save(path, overwrite=True) == path
    series = tmp_path / "series"
    shutil.copytree(one_head["DICOM"], series)
    shutil.copy(path, series)
    np.testing.assert_array_equal(metseg.read(series).mask, result.mask)
    with pytest.raises(DataError, match="is no DICOM series"):
        metseg.segment(np.ones((3, 64, 64)), model=str(two_targets_folder / "metastases")).save(tmp_path / "b.dcm")


@pytest.mark.parametrize("shape", [(64, 64), (3, 64, 64), (1, 3, 64, 64)])
def test_an_array_is_segmented_whatever_its_axes(two_targets: Path, head: Study, shape: tuple[int, ...]) -> None:
    del two_targets
    voxels = head.voxels[2, 3 : 3 + (1 if len(shape) == 2 else 3)].reshape(shape)
    result = metseg.segment(voxels, sequences="post-contrast", spacing=(5.0, 1.0, 1.0), device="cpu")
    assert result.mask.shape == ((1, 64, 64) if len(shape) == 2 else (3, 64, 64))
    assert result.model == "metastases"
    assert result.study.geometry.spacing == (5.0, 1.0, 1.0)


def test_what_cannot_be_segmented_is_named(head: Study) -> None:
    with pytest.raises(DataError, match="says its spacing itself"):
        metseg.segment(head, spacing=(1.0, 1.0, 1.0))
    with pytest.raises(DataError, match="no target"):
        metseg.segment(head, target="tumour")
    with pytest.raises(DataError, match="finite"):
        metseg.segment(np.full((3, 64, 64), np.nan))
    with pytest.raises(DataError, match=r"\(c, z, y, x\)"):
        metseg.segment(np.zeros(5))
