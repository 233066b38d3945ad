"""One head, however it is stored, gets the same mask at the same place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from metseg.study import Study, read_tiff, write_tiff
from metseg.study.formats import header_of, read_voxels

KINDS = [f"NIfTI {codes}" for codes in ("LPS", "RAS", "ASL", "PIR", "SAL", "IPR", "int16")]
KINDS += ["NIfTI-2", "NRRD", "MetaImage", "DICOM"]


@pytest.fixture(scope="module")
def flair(head: Study) -> npt.NDArray[np.uint16]:
    return head.voxels[1].astype(np.uint16) * 37


@pytest.fixture(scope="module")
def saved(
    tmp_path_factory: pytest.TempPathFactory,
    save_head_as: Callable[..., dict[str, Path]],
    flair: npt.NDArray[np.uint16],
    oblique: npt.NDArray[np.float64],
) -> dict[str, Path]:
    return save_head_as(tmp_path_factory.mktemp("formats"), flair, oblique)


@pytest.fixture(scope="module")
def reference(flair: npt.NDArray[np.uint16], model: Path) -> npt.NDArray[np.uint8]:
    """The mask of the same voxels that were never a file."""
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter
    from metseg.study import Sequence

    with Segmenter(load_checkpoint(model)) as segmenter:
        mask = segmenter.segment(Study("head", flair[None], (Sequence.UNKNOWN,))).mask
    assert 0 < mask.mean() < 1
    return mask


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_equal_voxel_for_voxel_and_lie_on_their_source(
    metseg: Any, model: Path, saved: dict[str, Path], reference: npt.NDArray[np.uint8], tmp_path: Path, kind: str
) -> None:
    source = saved[kind]
    done = metseg("predict", "--model", model, "--input", source, "--output", tmp_path / "out")
    assert done.status == 0, done.err
    answer = tmp_path / "out/head_mask.nii.gz"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"head_mask.nii.gz", "head_mask.json"}
    assert np.array_equal(read_voxels(header_of(answer))[0], reference)
    if kind == "NIfTI-2":  # which SimpleITK does not read
        return
    if kind == "DICOM":
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(source)))
        image = series.Execute()
    else:
        image = sitk.ReadImage(str(source))
    mask = sitk.ReadImage(str(answer))
    assert mask.GetSize() == image.GetSize()
    for corner in ((0, 0, 0), tuple(size - 1 for size in image.GetSize())):
        here, there = (one.TransformIndexToPhysicalPoint(corner) for one in (image, mask))
        assert np.allclose(here, there, atol=1e-3)


@pytest.mark.parametrize(("form", "ending"), [("tiff", ".tif"), ("nifti", ".nii.gz")])
def test_another_format_can_be_asked_for(
    metseg: Any,
    model: Path,
    saved: dict[str, Path],
    flair: npt.NDArray[np.uint16],
    reference: npt.NDArray[np.uint8],
    tmp_path: Path,
    form: str,
    ending: str,
) -> None:
    write_tiff(tmp_path / "stack.tif", flair)
    for name, source in (("head", saved["NIfTI PIR"]), ("stack", tmp_path / "stack.tif")):
        command = ("predict", "--model", model, "--input", source, "--output", tmp_path / "out", "--format", form)
        done = metseg(*command)
        assert done.status == 0, done.err
        path = tmp_path / "out" / f"{name}_mask{ending}"
        if form == "tiff":
            assert np.array_equal(read_tiff(path)[:, 0], reference * 255)
        else:
            assert np.array_equal(read_voxels(header_of(path))[0], reference)


def test_an_earlier_mask_is_only_replaced_if_nobody_edited_it(
    metseg: Any, model: Path, saved: dict[str, Path], tmp_path: Path
) -> None:
    command = ("predict", "--model", model, "--input", saved["NIfTI RAS"], "--output", tmp_path / "out")
    assert metseg(*command).status == 0
    again = metseg(*command)
    assert again.status != 0
    assert "--overwrite" in again.err
    assert metseg(*command, "--overwrite").status == 0
    path = str(tmp_path / "out/head_mask.nii.gz")
    edited = sitk.ReadImage(path)
    edited[3, 3, 3] = 1 - edited[3, 3, 3]
    sitk.WriteImage(edited, path)
    refused = metseg(*command, "--overwrite")
    assert refused.status != 0
    assert "may be what a person drew" in refused.err


def test_inspect_says_what_each_format_is(metseg: Any, saved: dict[str, Path]) -> None:
    for kind in ("NIfTI SAL", "DICOM", "NRRD"):
        done = metseg("inspect", saved[kind])
        assert done.status == 0, done.err
        assert "64 x 64 x 1" in done.out
        assert "4 x 0.8 x 0.9" in done.out
    assert "flair" in metseg("inspect", saved["DICOM"]).out


def test_one_file_a_sequence_is_one_patient(
    metseg: Any, model: Path, head: Study, oblique: npt.NDArray[np.float64], tmp_path: Path
) -> None:
    import nibabel

    (tmp_path / "P").mkdir()
    assert head.mask is not None
    for name, voxels in zip(("t1", "flair", "t1ce", "seg"), (*head.voxels, head.mask), strict=True):
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), oblique)
        nibabel.save(image, tmp_path / "P" / f"P_{name}.nii.gz")
    done = metseg("inspect", tmp_path / "P")
    assert done.status == 0, done.err
    assert "1 patient, 10 slices, 10 with a mask" in done.out
    assert "pre-contrast, flair, post-contrast" in done.out
    out = tmp_path / "out"
    assert metseg("predict", "--model", model, "--input", tmp_path / "P", "--output", out).status == 0
    assert (out / "P_mask.nii.gz").exists()
