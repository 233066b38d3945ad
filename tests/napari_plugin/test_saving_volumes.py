"""What was opened from a volume is saved as NIfTI where it lay; SimpleITK looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from napari.layers import Image, Labels, Layer
from npe2 import PluginManager

from metseg.errors import DataError
from metseg.napari_plugin.reader import read, read_layer_data
from metseg.napari_plugin.writer import write_nifti
from metseg.study import Study, read_study

KINDS = ["NIfTI PIR", "NIfTI RAS", "NIfTI-2", "DICOM", "NRRD"]


@pytest.fixture(autouse=True, scope="module")
def plugins() -> None:
    """Let napari find its plugins, as a window does when it opens."""
    PluginManager.instance().discover()


@pytest.fixture
def opened(
    head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], tmp_path: Path
) -> Callable[[str], tuple[Path, Any]]:
    """Open the head that was saved in some way: its file, and its image layer."""
    saved = save_head_as(tmp_path / "source", head.voxels[1].astype(np.uint16) * 37, oblique)

    def open_(kind: str) -> tuple[Path, Any]:
        [(data, look, _)] = read(saved[kind])
        return saved[kind], Image(data, **look)

    return open_


def drawn_on(image: Any) -> Any:
    """A labels layer of the bright voxels, placed as the image is."""
    return Labels(
        (np.asarray(image.data) > 3000).astype(np.int64) * 3,
        scale=image.scale,
        translate=image.translate,
        units=image.units,
        metadata=dict(image.metadata),
        name="drawn",
    )


def save(layer: Layer, path: Path) -> Path:
    """As napari's own *Save* does, by the plugin that says it can."""
    [written] = layer.save(str(path))
    assert Path(written) == path
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_outlines_and_images_come_back_to_their_place(
    opened: Callable[[str], tuple[Path, Any]], tmp_path: Path, kind: str
) -> None:
    source, image = opened(kind)
    outline = save(drawn_on(image), tmp_path / "outline.nii.gz")
    copy = save(image, tmp_path / "copy.nii")
    if kind == "NIfTI-2":  # which SimpleITK does not read
        before, after = nibabel.load(source), nibabel.load(outline)
        np.testing.assert_array_equal(before.affine, after.affine)
        np.testing.assert_array_equal(np.asarray(before.dataobj) > 3000, np.asarray(after.dataobj) == 3)
        return
    if source.is_dir():
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(source)))
        original = series.Execute()
    else:
        original = sitk.ReadImage(str(source))
    for path in (outline, copy):
        written = sitk.ReadImage(str(path))
        assert written.GetSize() == original.GetSize()
        for corner in ((0, 0, 0), tuple(size - 1 for size in original.GetSize())):
            here, there = (one.TransformIndexToPhysicalPoint(corner) for one in (original, written))
            np.testing.assert_allclose(here, there, atol=1e-3)
    values = sitk.GetArrayFromImage(original)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(copy))), values)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(outline))) == 3, values > 3000)


def test_outlines_of_a_series_are_saved_as_dicom(opened: Callable[[str], tuple[Path, Any]], tmp_path: Path) -> None:
    source, image = opened("DICOM")
    save(drawn_on(image), source / "outline.dcm")
    [(labels, _, _)] = read_layer_data(source / "outline.dcm")
    assert set(np.unique(labels)) == {0, 1}
    [_, (mask, _, _)] = read_layer_data(source)
    np.testing.assert_array_equal(mask > 0, np.asarray(image.data) > 3000)
    _, other = opened("NRRD")
    with pytest.raises(DataError, match="is no DICOM series"):
        save(drawn_on(other), tmp_path / "outline.dcm")


def test_a_part_of_a_volume_is_saved_where_it_is_shown(
    opened: Callable[[str], tuple[Path, Any]], tmp_path: Path
) -> None:
    source, image = opened("NIfTI PIR")
    part = Image(
        image.data[2:5, 10:30],
        scale=image.scale,
        translate=np.asarray(image.translate) + np.asarray(image.scale) * (2, 10, 0),
        units=image.units,
        metadata=dict(image.metadata),
    )
    path = save(part, tmp_path / "part.nii.gz")
    whole, cut = read_study(source), read_study(path)
    np.testing.assert_allclose(cut.geometry.affine, whole.geometry.moved(z=2, y=10).affine, atol=1e-4)
    np.testing.assert_array_equal(cut.voxels, whole.voxels[:, 2:5, 10:30])


def test_what_has_no_place_says_so(tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 9), np.uint8)
    labels[1, 2:4, 3] = 1
    path = save(Labels(labels), tmp_path / "a.nii.gz")
    header = nibabel.load(path).header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 0
    assert read_study(path).geometry.spacing is None


def test_what_cannot_be_saved_truly_is_refused(tmp_path: Path) -> None:
    turned = Image(np.ones((3, 8, 9)), rotate=(10, 0, 0)).as_layer_data_tuple()[1]
    with pytest.raises(DataError, match="turned in napari"):
        write_nifti(str(tmp_path / "a.nii"), np.ones((3, 8, 9)), turned)
    with pytest.raises(DataError, match="shape"):
        write_nifti(str(tmp_path / "a.nii"), np.ones((2, 3, 8, 9)), {})
    with pytest.raises(DataError, match="real numbers"):
        write_nifti(str(tmp_path / "a.nii"), np.ones((3, 8, 9), complex), {"contrast_limits": (0, 1)})
    assert not list(tmp_path.glob("*.nii"))


def test_an_image_saved_as_tiff_keeps_numbers_and_spacing(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 8, 9)).astype(np.float32)
    image = Image(values, scale=(3, 0.9, 0.8), units=("mm",) * 3)
    [path, sidecar] = image.save(str(tmp_path / "a.tif"), plugin="napari-metseg")
    assert Path(sidecar).name == "a.json"
    study = read_study(path)
    np.testing.assert_array_equal(study.voxels[0], values)
    assert study.geometry.spacing == (3, 0.9, 0.8)
    labels = Labels((values > 1).astype(np.int32), scale=(3, 0.9, 0.8), units=("mm",) * 3)
    assert Path(labels.save(str(tmp_path / "b.tif"), plugin="napari-metseg")[0]).name == "b.tif"
    assert tifffile.imread(tmp_path / "b.tif").dtype == np.uint8
