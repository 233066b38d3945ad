"""DICOM SEG: written beside a series, read by programs that are not ours, and taken back without a voxel changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import label_lesions
from metseg.study import Sequence, Study, is_as_written, load, read_study, write_tiff
from metseg.study.discovery import find_studies
from metseg.study.formats import header_of, read_voxels
from metseg.study.formats.writing import writer_named, writer_of
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of

Mask = npt.NDArray[np.uint8]
ABOUT = {"model": "best", "weights_sha256": "ab" * 32, "target": "enhancing lesion", "threshold": 0.5}


@pytest.fixture
def series(
    head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], tmp_path: Path
) -> tuple[Path, Study]:
    """A tilted series of its own, with one sequence."""
    folder = save_head_as(tmp_path / "source", head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"]
    return folder, read_study(folder)


@pytest.fixture
def mask(head: Study) -> Mask:
    """Two lesions, one of them a single voxel, and the first and the last slice without any."""
    assert head.mask is not None
    mask = np.zeros(head.shape, np.uint8)
    mask[2:6, 30:39, 20:31] = 1
    mask[4, 33, 24] = 0
    mask[7, 5, 50] = 1
    return mask


def written(path: Path, volume: Mask, study: Study, *, mask: bool = True, **about: Any) -> Any:
    writer_named("dicom-seg").write(path, volume, study, mask=mask, about={**ABOUT, **about})
    return pydicom.dcmread(path)


def test_a_round_trip_changes_no_voxel(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    folder, study = series
    written(folder / "anything.dcm", mask, study)
    [files] = find_studies(folder)
    loaded = load(files)
    assert not loaded.problems
    again = loaded.studies[0]
    assert again.voxels.shape == study.voxels.shape
    assert again.mask is not None
    assert np.array_equal(again.mask, mask)
    assert all(entry.mask == folder / "anything.dcm" for entry in again.slices)


def test_lesions_that_touch_stay_apart_and_frames_without_lesion_are_left_out(
    series: tuple[Path, Study], tmp_path: Path
) -> None:
    labels = np.zeros(series[1].shape, np.uint8)
    labels[3:5, 10:20, 10:20], labels[3:5, 10:20, 20:30], labels[5, 2, 3] = 2, 3, 9
    data = written(tmp_path / "labels.dcm", labels, series[1])
    assert data.NumberOfFrames == 5
    read, problems = labels_of(read_mask(mask_header(tmp_path / "labels.dcm")))
    assert not problems
    assert read.shape == (3, 64, 64)
    assert np.array_equal(np.select([read == 1, read == 2, read == 3], [2, 3, 9]), labels[3:6])


def test_what_drew_each_lesion_is_said(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    data = written(tmp_path / "a.dcm", label_lesions(mask), series[1], algorithm_types={"2": "SEMIAUTOMATIC"})
    source = pydicom.dcmread(next(series[0].iterdir()))
    assert data.SegmentationType == "BINARY"
    assert data.StudyInstanceUID == source.StudyInstanceUID
    assert data.PatientID == source.PatientID
    assert [series.SeriesInstanceUID for series in data.ReferencedSeriesSequence] == [source.SeriesInstanceUID]
    first, second = data.SegmentSequence
    assert (first.SegmentAlgorithmType, second.SegmentAlgorithmType) == ("AUTOMATIC", "SEMIAUTOMATIC")
    assert (first.TrackingID, second.TrackingID) == ("enhancing lesion 1", "enhancing lesion 2")
    assert first.TrackingUID != second.TrackingUID
    [algorithm] = first.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmName == "best"
    assert f"weights_sha256={'ab' * 32}" in algorithm.AlgorithmParameters
    assert "research use" in data.SeriesDescription
    by_hand = written(tmp_path / "b.dcm", mask, series[1], model=None)
    assert {segment.SegmentAlgorithmType for segment in by_hand.SegmentSequence} == {"MANUAL"}


def test_each_frame_names_the_image_it_lies_on(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    data = written(tmp_path / "a.dcm", mask, series[1])
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, series[0].iterdir())}
    for frame in data.PerFrameFunctionalGroupsSequence:
        [named] = frame.DerivationImageSequence[0].SourceImageSequence
        image = images[named.ReferencedSOPInstanceUID]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == image.ImagePositionPatient


def test_dcmqi_finds_the_lesions_at_the_same_place(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    pytest.importorskip("dcmqi")
    written(tmp_path / "a.dcm", mask, series[1])
    tool = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
    assert tool is not None
    arguments = ["--inputDICOM", tmp_path / "a.dcm", "--outputDirectory", tmp_path, "--outputType", "nii"]
    subprocess.run([tool, *map(str, arguments), "--prefix", "q"], check=True, capture_output=True)
    labels = label_lesions(mask)
    for number in (1, 2):
        image: Any = nibabel.load(tmp_path / f"q-{number}.nii.gz")
        theirs = np.argwhere(np.asarray(image.dataobj)) @ image.affine[:3, :3].T + image.affine[:3, 3]
        affine = series[1].geometry.drawn
        ours = np.argwhere(labels == number)[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
        assert len(ours) == len(theirs)
        distances = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
        assert distances.min(axis=1).max() < 1e-3


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("what", ["mask", "empty", "probabilities"])
def test_the_standards_checker_has_no_error(series: tuple[Path, Study], mask: Mask, tmp_path: Path, what: str) -> None:
    volume = {"mask": mask, "empty": mask * 0, "probabilities": mask * np.uint8(200)}[what]
    written(tmp_path / "a.dcm", volume, series[1], mask=what != "probabilities")
    done = subprocess.run(["dciodvfy", str(tmp_path / "a.dcm")], check=False, capture_output=True, text=True)
    assert "Error" not in done.stderr


def test_probabilities_are_fractional(series: tuple[Path, Study], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, series[1].shape).astype(np.uint8)
    data = written(tmp_path / "a.dcm", values, series[1], mask=False)
    assert (data.SegmentationType, data.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert np.array_equal(read_voxels(header_of(tmp_path / "a.dcm"))[0], values)


def test_no_lesion_is_a_segmentation_too(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    written(series[0] / "a.dcm", mask * 0, series[1])
    again = read_study(series[0])
    assert again.mask is not None
    assert not again.mask.any()


def test_multi_frame_mr_gets_its_mask_at_the_same_place(
    series: tuple[Path, Study], mask: Mask, enhanced: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    (tmp_path / "multi").mkdir()
    enhanced(series[0], tmp_path / "multi" / "all.dcm")
    study = read_study(tmp_path / "multi")
    written(tmp_path / "multi" / "seg.dcm", mask, study)
    again = read_study(tmp_path / "multi")
    assert again.mask is not None
    assert np.array_equal(again.mask, mask)
    assert again.geometry.is_same(series[1].geometry, mask.shape)


def test_of_several_the_newest_is_taken_and_others_are_named(series: tuple[Path, Study], mask: Mask) -> None:
    folder, study = series
    for name, date, volume in (("new", "20260101", mask), ("old", "20250101", mask * 0)):
        data = written(folder / f"{name}.dcm", volume, study)
        data.ContentDate = date
        data.save_as(folder / f"{name}.dcm")
    data.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.999"
    data.save_as(folder / "other.dcm")
    [files] = find_studies(folder)
    again = load(files).studies[0]
    assert again.mask is not None
    assert again.mask.any()
    reasons = {problem.path.name: problem.reason for problem in files.problems}
    assert set(reasons) == {"old.dcm", "other.dcm"}
    assert "new.dcm, which is newer" in reasons["old.dcm"]
    assert "without an image" in reasons["other.dcm"]


def test_masks_of_another_place_are_refused(series: tuple[Path, Study], mask: Mask) -> None:
    folder, study = series
    data = written(folder / "a.dcm", mask, study)
    for frame in data.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [position[0] + 0.4, *position[1:]]
    data.save_as(folder / "a.dcm")
    with pytest.raises(UnreadableFileError, match="does not lie on the voxels"):
        read_study(folder)


@pytest.mark.parametrize("kept", [200, 900, 0.5, 0.95])
def test_damaged_segmentations_are_refused_by_name(
    series: tuple[Path, Study], mask: Mask, kept: float, tmp_path: Path
) -> None:
    written(tmp_path / "a.dcm", mask, series[1])
    content = (tmp_path / "a.dcm").read_bytes()
    (series[0] / "a.dcm").write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    loaded = load(find_studies(series[0])[0])
    assert loaded.studies[0].mask is None
    assert [problem.path.name for problem in loaded.problems] == ["a.dcm"]


def test_only_series_that_know_their_place_get_one(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    write_tiff(tmp_path / "P.tif", mask, channels=False)
    with pytest.raises(DataError, match="is no DICOM series"):
        written(tmp_path / "a.dcm", mask, read_study(tmp_path / "P.tif"))
    with pytest.raises(DataError, match="is no DICOM series"):
        written(tmp_path / "a.dcm", mask, Study("x", mask[None], (Sequence.FLAIR,)))
    series[1].slices[3].image.unlink()
    with pytest.raises(DataError, match="not as it was read"):
        written(tmp_path / "a.dcm", mask, series[1])
    with pytest.raises(DataError, match="lacks some"):
        written(tmp_path / "a.dcm", mask[:9], read_study(series[0]))


def test_an_edited_file_is_not_as_written(series: tuple[Path, Study], mask: Mask, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    assert writer_of(path).name == "dicom-seg"
    data = written(path, mask, series[1])
    assert is_as_written(path)
    data.SeriesDescription = "edited"
    data.save_as(path)
    assert not is_as_written(path)
