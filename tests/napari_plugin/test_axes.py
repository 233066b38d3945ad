"""Which axis of a layer is what; four channels are never taken for colours with transparency by accident."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from metseg.errors import DataError
from metseg.napari_plugin.arrays import grid_of, volume_of
from metseg.napari_plugin.layers import AFFINE_KEY, KEY, SEQUENCES_KEY, sequences_of, source_of
from metseg.napari_plugin.reader import get_reader, read, read_layer_data
from metseg.study import TRIPLET, Sequence, Study

Z, Y, X = 5, 40, 48
VOXELS = np.random.default_rng(0).integers(0, 200, (4, Z, Y, X)).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "channels", "grid"),
    [
        (VOXELS[0][None, None], 1, (Z, Y, X)),
        (VOXELS[0][None], 1, (Z, Y, X)),
        (VOXELS[:3].swapaxes(0, 1), 3, (Z, 1, Y, X)),
        (VOXELS[:1].swapaxes(0, 1), 1, (Z, 1, Y, X)),
        (VOXELS[:3], 3, (Z, Y, X)),
        (np.moveaxis(VOXELS[:3], 0, -1), 3, (Z, Y, X, 1)),
        (VOXELS[:3][None], 3, (Z, Y, X)),
        (VOXELS[0, 0], 1, (Y, X)),
    ],
    ids=["11zyx", "1zyx", "z3yx", "z1yx", "3zyx", "zyx3", "13zyx", "yx"],
)
def test_channels_and_singletons_are_understood(data: Any, channels: int, grid: tuple[int, ...]) -> None:
    layer = Image(data, name="x", rgb=False)
    source = source_of(layer)
    assert source.grid == grid_of(data.shape, rgb=False) == grid
    expected = VOXELS[:channels, :1] if len(grid) == 2 else VOXELS[:channels]
    np.testing.assert_array_equal(source.study.voxels, expected)
    assert volume_of(grid) == source.study.shape
    assert len(sequences_of(layer)) == channels


@pytest.mark.parametrize("data", [VOXELS, np.moveaxis(VOXELS, 0, -1)], ids=["4zyx", "zyx4"])
def test_four_channels_wait_until_somebody_says_which_is_which(data: Any) -> None:
    layer = Image(data, name="x", rgb=False)
    assert sequences_of(layer) == (Sequence.UNKNOWN,) * 4
    with pytest.raises(DataError, match="four channels"):
        source_of(layer)
    layer.metadata[SEQUENCES_KEY] = (Sequence.FLAIR, Sequence.PRE, Sequence.POST, Sequence.T2)
    study = source_of(layer).study
    np.testing.assert_array_equal(study.voxels, VOXELS)
    assert study.sequences[2] is Sequence.POST


def test_four_channels_that_napari_takes_for_colours_are_no_transparency() -> None:
    layer = Image(np.moveaxis(VOXELS, 0, -1), name="x")  # napari guesses colours
    assert layer.rgb
    with pytest.raises(DataError, match="four channels"):
        source_of(layer)
    opaque = np.moveaxis(VOXELS, 0, -1).copy()
    opaque[..., 3] = 255
    source = source_of(Image(opaque, name="x"))
    assert source.study.sequences == TRIPLET
    np.testing.assert_array_equal(source.study.voxels, VOXELS[:3])


@pytest.mark.parametrize("kind", ["NIfTI SAL", "DICOM", "NRRD", "MetaImage"])
def test_volumes_open_where_they_lie(
    head: Study, save_head_as: Callable[..., dict[str, Path]], oblique: Any, tmp_path: Path, kind: str
) -> None:
    flair = head.voxels[1].astype(np.uint16) * 37
    path = save_head_as(tmp_path, flair, oblique)[kind]
    reader = get_reader(str(path))
    assert reader is read
    ((data, look, what),) = reader(str(path))
    assert what == "image"
    np.testing.assert_array_equal(data, flair)
    np.testing.assert_allclose(look["scale"], (4.0, 0.8, 0.9), atol=1e-6)
    assert look["units"] == ("mm",) * 3
    assert look["axis_labels"] == ("z", "y", "x")
    np.testing.assert_allclose(look["metadata"][AFFINE_KEY], oblique, atol=1e-4)
    layer = Image(data, **look)
    channel = layer.metadata[KEY]
    np.testing.assert_allclose(layer.translate, channel.study.geometry.translation, atol=1e-6)
    assert source_of(layer).study.geometry.orientation == "LPS"


def test_masks_of_other_formats_open_as_labels(head: Study, oblique: Any, tmp_path: Path) -> None:
    import nibabel

    assert head.mask is not None
    nibabel.save(nibabel.Nifti1Image(head.mask.transpose(2, 1, 0), oblique), tmp_path / "head_mask.nii.gz")
    ((data, look, what),) = read_layer_data(str(tmp_path / "head_mask.nii.gz"))
    assert (what, look["name"]) == ("labels", "head_mask")
    np.testing.assert_array_equal(data, head.mask)
    np.testing.assert_allclose(look["metadata"][AFFINE_KEY], oblique, atol=1e-4)
