"""RTSTRUCT: contours on the slices of a series, read by a program that is not ours, and taken back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from scipy import ndimage

from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import label_lesions
from metseg.study import Study, is_as_written, load, read_study, writer_of
from metseg.study.discovery import find_studies
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of

Mask = npt.NDArray[np.uint8]
ABOUT = {"model": "best", "weights_sha256": "ab" * 32, "target": "enhancing lesion"}
Series = tuple[Path, Study]


@pytest.fixture
def make_series(save_head_as: Callable[..., dict[str, Path]], tmp_path: Path) -> Callable[..., Series]:
    """A series with some affine, of 12 slices of 60 x 64 pixels of which each has another value."""

    def make(affine: npt.ArrayLike) -> Series:
        voxels = np.random.default_rng(0).integers(0, 900, (12, 60, 64)).astype(np.uint16)
        folder = save_head_as(tmp_path / "source", voxels, np.asarray(affine, float))["DICOM"]
        return folder, read_study(folder)

    return make


@pytest.fixture
def series(make_series: Callable[..., Series], oblique: Any) -> Series:
    return make_series(oblique)


@pytest.fixture
def mask() -> Mask:
    """Lesions with holes in holes, of one pixel, of pixels that touch at corners, and at the edge of the image."""
    mask = np.zeros((12, 60, 64), np.uint8)
    mask[2:5, 10:30, 10:31] = 1
    mask[3, 13:27, 13:28] = 0
    mask[3, 16:22, 16:22] = 1
    mask[3, 18:20, 18:20] = 0
    mask[3, 24, 24] = 1
    mask[6, 5, 50] = 1
    mask[8, 40:44, 40:44] = np.eye(4)
    mask[9, 50:, 58:] = 1
    mask[11, 0, 0] = 1
    return mask


def written(path: Path, volume: Mask, study: Study, **about: Any) -> Any:
    writer_of(path).write(path, volume, study, mask=True, about={**ABOUT, **about})
    return pydicom.dcmread(path)


def contours_of(data: Any) -> list[Any]:
    return [contour for roi in data.ROIContourSequence for contour in roi.ContourSequence]


AXIAL = np.diag([-0.9, -0.8, 4.0, 1.0])
SAGITTAL = np.array([[0, 0, 1.0, 5], [-1.1, 0, 0, 9], [0, -1, 0, 7], [0, 0, 0, 1]])


@pytest.mark.parametrize("how", ["axial", "oblique", "thin sagittal"])
def test_a_round_trip_changes_no_voxel(
    make_series: Callable[..., Series], mask: Mask, oblique: Any, tmp_path: Path, how: str
) -> None:
    folder, study = make_series({"axial": AXIAL, "oblique": oblique, "thin sagittal": SAGITTAL}[how])
    mask = np.resize(mask, study.shape)
    written(folder / "a.rtstruct.dcm", mask, study)
    again = read_study(folder)
    assert again.mask is not None
    assert np.array_equal(again.mask, mask)


def test_contours_lie_on_the_slices_half_a_pixel_around_their_voxels(
    make_series: Callable[..., Series], mask: Mask, tmp_path: Path
) -> None:
    folder, study = make_series(AXIAL)
    data = written(tmp_path / "a.rtstruct.dcm", mask, study)
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, folder.iterdir())}
    seen = np.zeros(mask.shape, bool)
    for contour in contours_of(data):
        image = images[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert contour.ContourGeometricType == "CLOSED_PLANAR"
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(points)
        corner, (down, across) = np.array(image.ImagePositionPatient, float), map(float, image.PixelSpacing)
        assert np.allclose(points[:, 2], corner[2], atol=1e-4)
        x, y = ((points[:, :2] - corner[:2]) / (across, down)).T
        z = round(corner[2] / 4.0)
        nearest = np.abs(np.stack([x, y])[:, :, None] - np.argwhere(mask[z])[:, ::-1].T[:, None])
        assert np.allclose(nearest.sum(axis=0).min(axis=1), 0.5, atol=1e-4)
        seen[z] = True
    assert np.array_equal(seen.any(axis=(1, 2)), mask.any(axis=(1, 2)))


def test_regions_keep_names_colours_and_who_drew_them(series: Series, mask: Mask, tmp_path: Path) -> None:
    data = written(tmp_path / "a.rtstruct.dcm", label_lesions(mask), series[1], algorithm_types={"2": "MANUAL"})
    source = pydicom.dcmread(next(series[0].iterdir()))
    rois = data.StructureSetROISequence
    assert [roi.ROIName for roi in rois] == [f"enhancing lesion {number + 1}" for number in range(len(rois))]
    assert [roi.ROIGenerationAlgorithm for roi in rois][:3] == ["AUTOMATIC", "MANUAL", "AUTOMATIC"]
    assert f"weights_sha256={'ab' * 32}" in data.StructureSetDescription
    assert rois[0].ROIGenerationDescription == f"best {'ab' * 8}"
    colours = [tuple(roi.ROIDisplayColor) for roi in data.ROIContourSequence]
    assert len(set(colours)) == len(colours) == len(rois)
    [frame] = data.ReferencedFrameOfReferenceSequence
    [series_] = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series_.SeriesInstanceUID == source.SeriesInstanceUID
    assert len(series_.ContourImageSequence) == 12
    assert data.StudyInstanceUID == source.StudyInstanceUID


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_the_standards_checker_has_no_error(series: Series, mask: Mask, tmp_path: Path) -> None:
    written(tmp_path / "a.rtstruct.dcm", mask, series[1])
    done = subprocess.run(["dciodvfy", str(tmp_path / "a.rtstruct.dcm")], check=False, capture_output=True, text=True)
    assert "Error" not in done.stderr


def test_dicomrttool_fills_the_same_regions_but_for_their_rims(
    make_series: Callable[..., Series], tmp_path: Path
) -> None:
    reader = pytest.importorskip("DicomRTTool.ReaderWriter")
    folder, study = make_series(AXIAL)
    mask = np.zeros(study.shape, np.uint8)
    mask[2:5, 10:30, 10:31] = 1
    mask[3, 13:27, 13:28] = 0
    mask[6, 5:9, 50] = 1
    written(folder / "a.rtstruct.dcm", mask, study)
    names = ["enhancing lesion 1", "enhancing lesion 2"]
    theirs = reader.DicomReaderWriter(Contour_Names=names, arg_max=False, verbose=False)
    theirs.walk_through_folders(str(folder))
    theirs.set_index(0)
    theirs.get_images_and_mask()
    wrong = theirs.mask[..., 1:].any(axis=-1) != mask
    plane = np.ones((1, 3, 3), bool)
    rim = ndimage.binary_dilation(mask, plane) & ~ndimage.binary_erosion(mask, plane)
    assert not (wrong & ~rim).any()


@pytest.mark.parametrize("how", ["inner contours", "XOR"])
def test_holes_of_other_programs_are_holes(series: Series, tmp_path: Path, how: str) -> None:
    folder, study = series
    mask = np.zeros(study.shape, np.uint8)
    mask[4, 10:30, 10:30] = 1
    hole = np.zeros_like(mask)
    hole[4, 15:20, 15:20] = 1
    data, inner = (written(tmp_path / "a.rtstruct.dcm", volume, study) for volume in (mask, hole))
    data.ROIContourSequence[0].ContourSequence.append(inner.ROIContourSequence[0].ContourSequence[0])
    for contour in contours_of(data):
        contour.ContourGeometricType = "CLOSEDPLANAR_XOR" if how == "XOR" else "CLOSED_PLANAR"
    data.save_as(folder / "a.dcm")
    again = read_study(folder)
    assert again.mask is not None
    assert np.array_equal(again.mask, mask - hole)


def test_organs_are_no_lesions(series: Series, mask: Mask, tmp_path: Path) -> None:
    folder, study = series
    data = written(folder / "a.rtstruct.dcm", mask, study)
    data.RTROIObservationsSequence[0].RTROIInterpretedType = "ORGAN"
    data.RTROIObservationsSequence[1].RTROIInterpretedType = "GTV"
    data.save_as(folder / "a.rtstruct.dcm")
    loaded = load(find_studies(folder)[0])
    mask[2:5] = 0
    assert loaded.studies[0].mask is not None
    assert np.array_equal(loaded.studies[0].mask, mask)
    assert [problem.reason for problem in loaded.problems] == [
        "regions that are no lesions by their type were left out: enhancing lesion 1"
    ]


def test_contours_of_other_slices_are_refused(series: Series, mask: Mask) -> None:
    folder, study = series
    data = written(folder / "a.rtstruct.dcm", mask, study)
    contour = contours_of(data)[0]
    contour.ContourData = [value + 1.3 for value in contour.ContourData]
    data.save_as(folder / "a.rtstruct.dcm")
    with pytest.raises(UnreadableFileError, match="do not lie on slices"):
        read_study(folder)


def test_points_that_are_nowhere_are_refused(series: Series, mask: Mask) -> None:
    data = written(series[0] / "a.rtstruct.dcm", mask, series[1])
    contours_of(data)[0].ContourData[0] = "1e999"
    data.save_as(series[0] / "a.rtstruct.dcm")
    with pytest.raises(UnreadableFileError, match="nowhere"):
        read_study(series[0])


def test_contours_need_their_images(series: Series, mask: Mask, tmp_path: Path) -> None:
    path = tmp_path / "a.rtstruct.dcm"
    written(path, mask, series[1])
    with pytest.raises(UnreadableFileError, match="open the folder of both"):
        labels_of(read_mask(mask_header(path)))
    assert mask_header(path, 12, (series[1].geometry, series[1].shape)).shape == (1, 12, 60, 64)
    assert is_as_written(path)
    with pytest.raises(DataError, match="hold no probabilities"):
        writer_of(path).write(path, mask, series[1], mask=False, about=None)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_damaged_structure_sets_are_refused_by_name(series: Series, mask: Mask, kept: float, tmp_path: Path) -> None:
    written(tmp_path / "a.rtstruct.dcm", mask, series[1])
    content = (tmp_path / "a.rtstruct.dcm").read_bytes()
    (series[0] / "a.dcm").write_bytes(content[: int(kept * len(content))])
    loaded = load(find_studies(series[0])[0])
    assert loaded.studies[0].mask is None
    assert [problem.path.name for problem in loaded.problems] == ["a.dcm"]
