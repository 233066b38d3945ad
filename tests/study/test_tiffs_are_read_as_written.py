"""Every kind of TIFF that is read gives the voxels that were written, and what tifffile reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from metseg.errors import DataError, UnreadableFileError
from metseg.study import read_tiff, write_tiff
from metseg.study.sidecar import read_spacing


def test_every_kind_gives_the_voxels_that_were_written(tmp_path: Path, kinds, write_kind) -> None:
    for name, (pages, options) in kinds.items():
        got = read_tiff(write_kind(tmp_path / f"{name}.tif", pages, options))
        assert got.dtype == pages.dtype, name
        np.testing.assert_array_equal(got, pages, err_msg=name)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
def test_tiffs_of_another_library_are_read(tmp_path: Path, compression: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 9, (70, 90, 3), np.uint8)
    path = tmp_path / "pillow.tiff"
    Image.fromarray(pixels).save(path, compression=compression)
    np.testing.assert_array_equal(read_tiff(path)[0], np.moveaxis(pixels, -1, 0))


def test_what_we_write_other_libraries_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (70, 90, 3), np.uint8)
    path = tmp_path / "ours.tif"
    write_tiff(path, pixels)
    np.testing.assert_array_equal(tifffile.imread(path), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(path, formats=["TIFF"])), pixels)


pages_of_one = arrays.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=pages_of_one)
def test_stacks_come_back(tmp_path: Path, pages: np.ndarray) -> None:
    path = tmp_path / "stack.tif"
    write_tiff(path, pages, channels=False)
    got = read_tiff(path)
    assert got.dtype == pages.dtype
    np.testing.assert_array_equal(got[:, 0], pages)


@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7), (5, 7, 3), (2, 5, 7, 3), (1, 5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.int16, np.int64, np.float32])
def test_shapes_that_can_be_written_come_back(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    path = tmp_path / "a.tif"
    write_tiff(path, pixels)
    got = read_tiff(path)
    if shape[-1] == 3:
        got = np.moveaxis(got, 1, -1)
        assert got.shape[-1] == 3
    np.testing.assert_array_equal(got.reshape(shape), pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.complex64),
        np.zeros((4, 4), bool),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((2, 2, 4, 4, 3), np.uint8),
        np.broadcast_to(np.uint8(0), (5000, 1, 1)),
        np.broadcast_to(np.uint8(0), (300, 1024, 1024)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"a\.tif: "):
        write_tiff(tmp_path / "a.tif", pixels)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_identifies_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_tiff(path, np.zeros((2, 4, 4), np.uint8))
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages:
            assert not {"ImageDescription", "Software", "DateTime", "Artist", "HostComputer"} & {
                tag.name for tag in page.tags
            }


def test_spacing_travels_in_the_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_tiff(path, np.zeros((2, 4, 4), np.uint8), spacing=(5, 0.9, 0.8))
    assert read_spacing(path) == (5.0, 0.9, 0.8)
    with pytest.raises(DataError, match="three lengths"):
        write_tiff(path, np.zeros((2, 4, 4), np.uint8), spacing=(5, 0, 1))


class TestPagesOfOneSlice:
    """Programs that give every channel a page of its own say so in the description."""

    volume = np.random.default_rng(3).integers(0, 255, (4, 3, 6, 8), np.uint8)

    @pytest.mark.parametrize(
        ("axes", "order"),
        [("ZCYX", (0, 1, 2, 3)), ("CZYX", (1, 0, 2, 3))],
    )
    @pytest.mark.parametrize("ome", [True, False])
    def test_are_gathered(self, tmp_path: Path, axes: str, order: tuple[int, ...], ome: bool) -> None:
        path = tmp_path / ("a.ome.tif" if ome else "a.tif")
        tifffile.imwrite(path, self.volume.transpose(order), photometric="minisblack", metadata={"axes": axes}, ome=ome)
        np.testing.assert_array_equal(read_tiff(path), self.volume)

    def test_are_gathered_from_imagej(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, self.volume, imagej=True, metadata={"axes": "ZCYX"})
        np.testing.assert_array_equal(read_tiff(path), self.volume)

    def test_of_more_than_slices_and_channels_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, self.volume, imagej=True, metadata={"axes": "TZYX"})
        with pytest.raises(UnreadableFileError, match="ImageJ declares pages of 4 T x 3 Z"):
            read_tiff(path)
        tifffile.imwrite(path, self.volume[:, :2], photometric="minisblack", metadata={"axes": "ZCYX"})
        with pytest.raises(UnreadableFileError, match="tifffile declares pages of 4 Z x 2 C"):
            read_tiff(path)
        tifffile.imwrite(path, self.volume, photometric="minisblack")
        with pytest.raises(UnreadableFileError, match=r"4 \(unnamed\) x 3 \(unnamed\)"):
            read_tiff(path)

    def test_that_are_not_all_there_are_refused(self, tmp_path: Path) -> None:
        for options in ({"imagej": True}, {"metadata": {"axes": "ZYX"}}):
            path = tmp_path / "a.tif"
            tifffile.imwrite(path, self.volume[:, 0], photometric="minisblack", truncate=True, **options)
            with pytest.raises(UnreadableFileError, match="declares 4 images in it, but it holds 1 pages"):
                read_tiff(path)


def test_imagej_spacing_in_mm_is_known_and_print_resolution_is_not(tmp_path: Path) -> None:
    from metseg.study import read_study

    pixels = np.zeros((4, 6, 8), np.uint8)
    resolution = {"resolution": (2.0, 4.0)}
    stated = {"axes": "ZYX", "spacing": 3.5}
    tifffile.imwrite(tmp_path / "mm.tif", pixels, imagej=True, metadata=stated | {"unit": "mm"}, **resolution)
    tifffile.imwrite(tmp_path / "px.tif", pixels, imagej=True, metadata=stated, **resolution)
    tifffile.imwrite(
        tmp_path / "print.tif", pixels, photometric="minisblack", resolutionunit="centimeter", **resolution
    )
    assert read_study(tmp_path / "mm.tif").geometry.spacing == pytest.approx((3.5, 0.25, 0.5))
    assert read_study(tmp_path / "px.tif").geometry.spacing is None
    assert read_study(tmp_path / "print.tif").geometry.spacing is None
