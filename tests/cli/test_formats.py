"""One head, however it is stored, gets the same mask at the same place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from metseg.study import Study, read_tiff, write_tiff
from metseg.study.formats import header_of, read_voxels

KINDS = [f"NIfTI {codes}" for codes in ("LPS", "RAS", "ASL", "PIR", "SAL", "IPR", "int16", "float32")]
KINDS += ["NIfTI-2", "NRRD", "MetaImage", "DICOM"]


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
    metseg: Any, model: Path, one_head: dict[str, Path], reference: npt.NDArray[np.uint8], tmp_path: Path, kind: str
) -> None:
    source = one_head[kind]
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


@pytest.mark.parametrize("kind", ["TIFF stack", "TIFF slices"])
def test_slices_and_stacks_get_the_same_mask(
    metseg: Any, model: Path, one_head: dict[str, Path], reference: npt.NDArray[np.uint8], tmp_path: Path, kind: str
) -> None:
    done = metseg("predict", "--model", model, "--input", one_head[kind], "--output", tmp_path / "out")
    assert done.status == 0, done.err
    written = sorted(tmp_path.rglob("*_mask.tif"), key=lambda path: (len(path.name), path.name))
    assert len(written) == (1 if kind == "TIFF stack" else 10)
    assert np.array_equal(np.concatenate([read_tiff(path)[:, 0] for path in written]), reference * 255)


@pytest.mark.parametrize(("form", "ending"), [("tiff", ".tif"), ("nifti", ".nii.gz")])
def test_another_format_can_be_asked_for(
    metseg: Any,
    model: Path,
    one_head: dict[str, Path],
    flair: npt.NDArray[np.uint16],
    reference: npt.NDArray[np.uint8],
    tmp_path: Path,
    form: str,
    ending: str,
) -> None:
    write_tiff(tmp_path / "stack.tif", flair)
    for name, source in (("head", one_head["NIfTI PIR"]), ("stack", tmp_path / "stack.tif")):
        command = ("predict", "--model", model, "--input", source, "--output", tmp_path / "out", "--format", form)
        done = metseg(*command)
        assert done.status == 0, done.err
        path = tmp_path / "out" / f"{name}_mask{ending}"
        if form == "tiff":
            assert np.array_equal(read_tiff(path)[:, 0], reference * 255)
        else:
            assert np.array_equal(read_voxels(header_of(path))[0], reference)


def test_an_earlier_mask_is_only_replaced_if_nobody_edited_it(
    metseg: Any, model: Path, one_head: dict[str, Path], tmp_path: Path
) -> None:
    command = ("predict", "--model", model, "--input", one_head["NIfTI RAS"], "--output", tmp_path / "out")
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


@pytest.mark.slow
def test_a_series_is_answered_as_segmentation_and_probabilities_that_refer_to_it(
    metseg: Any, model: Path, one_head: dict[str, Path], reference: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    command = ["predict", "--model", model, "--input", one_head["DICOM"], "--output", tmp_path / "out"]
    command += ["--format", "dicom-seg", "--probabilities", "--report"]
    done = metseg(*command)
    assert done.status == 0, done.err
    names = {"head_mask.dcm", "head_mask.json", "head_prob.dcm", "head_prob.json"}
    names |= {"head_report.pdf", "head_report.dcm", "head_report.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    header = header_of(tmp_path / "out/head_mask.dcm")
    assert np.array_equal(read_voxels(header)[0] > 0, reference[header_slices(reference)])
    assert metseg(*command).status != 0
    assert metseg(*command, "--overwrite").status == 0
    done = metseg(*command[:7], "--output", tmp_path / "rt", "--format", "rtstruct")
    assert done.status == 0, done.err
    assert {path.name for path in (tmp_path / "rt").iterdir()} == {"head_mask.rtstruct.dcm", "head_mask.rtstruct.json"}
    command[command.index("--input") + 1] = one_head["NRRD"]
    done = metseg(*command, "--overwrite")
    assert done.status == 1
    assert "is no DICOM series" in done.err


def header_slices(mask: npt.NDArray[np.uint8]) -> slice:
    """From the first slice with a lesion to the last."""
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    return slice(int(drawn[0]), int(drawn[-1]) + 1)


def test_a_nifti_is_segmented_beside_a_dicom_file_that_was_cut_off(
    metseg: Any, model: Path, one_head: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "in/series").mkdir(parents=True)
    (tmp_path / "in/sub-01_FLAIR.nii.gz").write_bytes(one_head["NIfTI int16"].read_bytes())
    (tmp_path / "in/series/IM0001.dcm").write_bytes(bytes(128) + b"DICM")
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 1, "something was refused"
    assert [path.name for path in (tmp_path / "out").rglob("*.nii.gz")] == ["sub-01_FLAIR_mask.nii.gz"]
    said = "IM0001.dcm: nothing follows its DICOM preamble: cut off; copy the series again"
    assert said in done.out + done.err
    alone = metseg("predict", "--model", model, "--input", tmp_path / "in/series", "--output", tmp_path / "none")
    assert alone.status == 2, "nothing could be done"
    assert said in alone.out + alone.err


def test_inspect_says_what_each_format_is(metseg: Any, one_head: dict[str, Path]) -> None:
    for kind in ("NIfTI SAL", "DICOM", "NRRD"):
        done = metseg("inspect", one_head[kind])
        assert done.status == 0, done.err
        assert "64 x 64 x 1" in done.out
        assert "4 x 0.8 x 0.9" in done.out
    assert "flair" in metseg("inspect", one_head["DICOM"]).out


def test_one_file_a_sequence_is_one_patient(
    metseg: Any, model: Path, head: Study, oblique: npt.NDArray[np.float64], tmp_path: Path
) -> None:
    import nibabel

    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter

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
    with Segmenter(load_checkpoint(model)) as segmenter:
        expected = segmenter.segment(Study("head", head.voxels, head.sequences)).mask
    assert np.array_equal(read_voxels(header_of(out / "P_mask.nii.gz"))[0], expected)


def test_slices_of_one_file_a_sequence_get_a_mask_each(metseg: Any, model: Path, head: Study, tmp_path: Path) -> None:
    from metseg.study import find_studies, load

    source = tmp_path / "P"
    source.mkdir()
    for z in (4, 5):
        for name, voxels in zip(("t1", "flair", "t1ce"), head.voxels, strict=True):
            write_tiff(source / f"P_{name}_{z}.tif", voxels[z])
    done = metseg("predict", "--model", model, "--input", source, "--output", tmp_path / "out")
    assert done.status == 0, done.err
    masks = sorted((tmp_path / "out").glob("*.tif"))
    assert [path.name for path in masks] == ["P_4_mask.tif", "P_5_mask.tif"]
    for path in masks:
        path.rename(source / path.name)
    [study] = load(find_studies(source)[0]).studies
    assert [entry.mask and entry.mask.name for entry in study.slices] == [path.name for path in masks]


def test_a_format_that_is_not_written_is_named(metseg: Any, model: Path, tmp_path: Path) -> None:
    done = metseg("predict", "--model", model, "--input", tmp_path, "--output", tmp_path / "out", "--format", "dcm")
    assert done.status != 0
    assert "there are: tiff, nifti" in done.err


def test_writers_of_other_packages_are_found(
    metseg: Any, model: Path, one_head: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from importlib.metadata import EntryPoint

    from metseg.study.formats import writing

    entry = EntryPoint("plain", "tests_of_formats_plain:PlainNifti", writing.WRITERS)
    (tmp_path / "tests_of_formats_plain.py").write_text(
        "from metseg.study.formats.writing import NiftiWriter\n"
        "class PlainNifti(NiftiWriter):\n    name, suffix = 'plain', '.nii'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(writing, "entry_points", lambda group: (entry,) if group == writing.WRITERS else ())
    writing.writers.cache_clear()
    try:
        source, out = one_head["TIFF stack"], tmp_path / "out"
        done = metseg("predict", "--model", model, "--input", source, "--output", out, "--format", "plain")
        assert done.status == 0, done.err
        assert header_of(out / "head_mask.nii").shape == (1, 10, 64, 64)
    finally:
        writing.writers.cache_clear()
