"""One affine, from which everything else is derived as SimpleITK and nibabel derive it."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from metseg.errors import DataError
from metseg.study import Geometry, Known, reorder

SHAPE = (5, 6, 7)


def _oblique() -> np.ndarray:
    first, second = 0.3, -0.2
    turn = np.array([[np.cos(first), -np.sin(first), 0], [np.sin(first), np.cos(first), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(second), -np.sin(second)], [0, np.sin(second), np.cos(second)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([-0.9, -0.8, 4.0])
    affine[:3, 3] = 71, 83, -42
    return affine


def test_what_is_not_known_stays_unknown() -> None:
    nothing = Geometry()
    assert (nothing.spacing, nothing.affine, nothing.orientation, nothing.lps, nothing.translation) == (None,) * 5
    assert Geometry.spaced(None) == nothing
    spaced = Geometry.spaced((5.0, 0.9, 0.8))
    assert spaced.spacing == (5.0, 0.9, 0.8)
    assert spaced.known is Known.SPACING
    assert (spaced.orientation, spaced.translation, spaced.is_placed) == (None, None, False)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4)), np.eye(3), np.diag([1, 1, float("nan"), 1]), np.diag([1, 1, 2000, 1]), np.diag([1, 1, 1, 2])],
    ids=["zeros", "three rows", "nan", "two metres", "last row"],
)
def test_what_is_no_place_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(DataError):
        Geometry.placed(wrong)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 2000.0)])
def test_what_is_no_spacing_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(DataError):
        Geometry.spaced(spacing)


def test_points_are_where_simpleitk_puts_them() -> None:
    geometry = Geometry.placed(_oblique())
    image = sitk.Image(*SHAPE[::-1], sitk.sitkUInt8)
    origin, spacing, direction = geometry.itk
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    assert geometry.lps is not None
    for voxel in ((0, 0, 0), (6, 5, 4), (2, 0, 3)):
        here = (geometry.lps @ (*voxel, 1))[:3]
        assert np.allclose(image.TransformIndexToPhysicalPoint(voxel), here, atol=1e-9)
    again = Geometry.from_itk(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    assert again.is_same(geometry, SHAPE)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "ASL", "PIR", "SAL", "IPR"])
def test_orders_of_voxels_are_those_of_nibabel(codes: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 99, SHAPE)
    here = nibabel.Nifti1Image(voxels.transpose(2, 1, 0).astype(np.int16), _oblique())
    wanted = nibabel.orientations.axcodes2ornt(codes)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(here.affine), wanted)
    there = here.as_reoriented(turn)
    geometry, shape = Geometry.placed(here.affine).turned(SHAPE, codes)
    assert geometry.orientation == codes
    assert shape == there.shape[::-1]
    assert np.allclose(geometry.affine, there.affine, atol=1e-9)
    turned = reorder(voxels, Geometry.placed(here.affine), geometry, shape)
    assert np.array_equal(turned, np.asarray(there.dataobj).transpose(2, 1, 0))
    assert np.array_equal(reorder(turned, geometry, Geometry.placed(here.affine), SHAPE), voxels)


def test_voxels_of_another_place_are_not_taken_for_these() -> None:
    voxels, here = np.zeros(SHAPE), Geometry.placed(_oblique())
    with pytest.raises(DataError, match="same voxels"):
        reorder(voxels, here, here.moved(x=0.5), SHAPE)
    with pytest.raises(DataError, match="same voxels"):
        reorder(voxels, here, here, (5, 7, 6))


@pytest.mark.parametrize(
    ("sides", "spacing", "orientation"),
    [
        ("RAS", (1.0, 1.0, 1.0), "LPS"),
        ("PIR", (1.0, 1.0, 1.0), "LPS"),
        ("RAS", (5.0, 0.9, 0.9), "LPS"),
        ("LIP", (5.0, 0.9, 0.9), "LIP"),
        ("PIR", (5.0, 0.9, 0.9), "PIR"),
        ("SAL", (0.9, 0.9, 5.0), "LPS"),
    ],
    ids=["isotropic", "sagittal isotropic", "axial", "coronal", "sagittal", "axial, stored along x"],
)
def test_slices_lie_along_the_acquisition(sides: str, spacing: tuple[float, ...], orientation: str) -> None:
    affine = np.eye(4)
    for axis, (side, step) in enumerate(zip(nibabel.orientations.axcodes2ornt(sides), spacing[::-1], strict=True)):
        affine[:3, axis] = 0
        affine[int(side[0]), axis] = side[1] * step
    assert Geometry.placed(affine).orientation == sides
    assert Geometry.placed(affine).sliced() == orientation


def test_the_translation_puts_images_of_one_direction_on_each_other() -> None:
    geometry = Geometry.placed(_oblique())
    cut = geometry.moved(z=1, y=2, x=3)
    assert geometry.translation is not None
    assert cut.translation is not None
    moved = np.subtract(cut.translation, geometry.translation)
    assert np.allclose(moved, np.multiply(geometry.spacing, (1, 2, 3)))
