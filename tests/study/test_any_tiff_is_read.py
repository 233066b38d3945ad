"""Any type of pixels, any compression that people use, and stacks that programs declare as something else."""

from __future__ import annotations

import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from metseg.errors import UnreadableFileError
from metseg.study import Problem, Sequence, Study, find_studies, load, read_study, read_tiff, write_tiff
from metseg.study.preflight import preflight

FILES = Path(__file__).parent / "files"


def read(path: Path, sequences: tuple[Sequence, ...] | None = None) -> tuple[Study, list[Problem]]:
    loaded = load(find_studies(path, sequences)[0])
    assert not [str(problem) for problem in loaded.problems if problem.refused]
    return loaded.studies[0], list(loaded.problems)


def slices(count: int, dtype: str = "uint16", size: tuple[int, int] = (20, 24)) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 120, (count, *size)).astype(dtype)


@pytest.mark.parametrize("name", ["int16", "int32", "float32"])
def test_stacks_of_signed_and_real_numbers_are_kept_as_stored(name: str) -> None:
    study, problems = read(FILES / f"types/{name}.tif")
    assert study.voxels.dtype == name
    np.testing.assert_array_equal(study.voxels[0], tifffile.imread(FILES / f"types/{name}.tif"))
    assert not problems


@pytest.mark.parametrize("name", ["zstd", "lzma", "jpeg", "rgb_jpeg"])
def test_compressions_of_other_programs_are_read_as_tifffile_does(name: str) -> None:
    expected = np.atleast_3d(tifffile.imread(FILES / f"compressed/{name}.tif"))
    study, _ = read(FILES / f"compressed/{name}.tif")
    np.testing.assert_array_equal(study.voxels[:, 0], np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"rowsperstrip": 16}, {"photometric": "ycbcr"}])
def test_jpeg_of_colours_in_strips_and_tiles(tmp_path: Path, options: dict) -> None:
    pixels = np.repeat(np.linspace(0, 250, 64 * 48).reshape(64, 48, 1), 3, axis=-1).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, **({"photometric": "rgb", "compression": "jpeg"} | options))
    np.testing.assert_array_equal(np.moveaxis(read_tiff(path)[0], 0, -1), tifffile.imread(path))


def test_jpeg_of_another_library_is_read(tmp_path: Path) -> None:
    pixels = np.repeat(np.linspace(0, 250, 64 * 48).reshape(64, 48, 1), 3, axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression="jpeg")
    got = np.moveaxis(read_tiff(tmp_path / "a.tif")[0], 0, -1)
    assert np.abs(got.astype(int) - pixels).max() < 12


class TestAJpegThatIsNotWhole:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)

    def write(self, path: Path, make_tiff, plain_fields, encoded: bytes) -> Path:
        fields = plain_fields(64, 64, t259=("H", 7), t279=("I", len(encoded)))
        path.write_bytes(make_tiff([fields], encoded))
        return path

    def test_is_refused_however_much_is_missing(self, tmp_path: Path, make_tiff, plain_fields) -> None:
        whole = imagecodecs.jpeg8_encode(self.pixels)
        assert read_tiff(self.write(tmp_path / "a.tif", make_tiff, plain_fields, whole)).shape == (1, 1, 64, 64)
        for cut in (1, 2, 3, 50, len(whole) // 2, len(whole) - 3):
            with pytest.raises(UnreadableFileError, match="cannot be decoded"):
                read_tiff(self.write(tmp_path / "a.tif", make_tiff, plain_fields, whole[:-cut]))
            damaged = whole[: -cut - 2] + b"\xff\xd9" + whole[-cut:]
            if cut > 2:
                with pytest.raises(UnreadableFileError, match="cannot be decoded"):
                    read_tiff(self.write(tmp_path / "a.tif", make_tiff, plain_fields, damaged))

    def test_may_not_keep_the_decoder_busy_with_scans(self, tmp_path: Path, make_tiff, plain_fields) -> None:
        whole = imagecodecs.jpeg8_encode(self.pixels)
        scan = whole.index(b"\xff\xda")
        again = whole[:scan] + whole[scan:-2] * 100 + whole[-2:]
        with pytest.raises(UnreadableFileError, match="too many scans|more bytes than its pixels"):
            read_tiff(self.write(tmp_path / "a.tif", make_tiff, plain_fields, again))


def test_jpeg_2000_of_more_tiles_than_pixels_are_worth_is_refused(tmp_path: Path, make_tiff, plain_fields) -> None:
    encoded = bytearray(imagecodecs.jpeg2k_encode(np.zeros((255, 256), np.uint8), level=0, codecformat="j2k"))
    encoded[24:32] = b"\0\0\0\1\0\0\0\1"
    path = tmp_path / "a.tif"
    fields = plain_fields(256, 255, t259=("H", 34712), t279=("I", len(encoded)))
    path.write_bytes(make_tiff([fields], bytes(encoded)))
    with pytest.raises(UnreadableFileError, match="too many tiles"):
        read_tiff(path)


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("compressed", [False, True])
def test_pixels_of_fewer_bits_are_unpacked(
    tmp_path: Path, make_tiff, plain_fields, bits: int, compressed: bool
) -> None:
    pixels = np.random.default_rng(bits).integers(0, 1 << bits, (9, 13))
    rows = ["".join(f"{int(value):0{bits}b}" for value in row) for row in pixels]
    row_bytes = -(-13 * bits // 8)
    packed = b"".join(int(row.ljust(8 * row_bytes, "0"), 2).to_bytes(row_bytes, "big") for row in rows)
    coded = zlib.compress(packed) if compressed else packed
    fields = plain_fields(13, 9, t258=("H", bits), t259=("H", 8 if compressed else 1), t279=("I", len(coded)))
    path = tmp_path / "a.tif"
    path.write_bytes(make_tiff([fields], coded))
    got = read_tiff(path)
    np.testing.assert_array_equal(got[0, 0], pixels)
    assert got.dtype == (np.uint8 if bits <= 8 else np.uint16)


def test_bits_in_reversed_order_are_turned_round(tmp_path: Path, make_tiff, plain_fields) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(make_tiff([plain_fields(t266=("H", 2))], bytes([1] * 128)))
    assert (read_tiff(path) == 128).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32"])
def test_white_that_is_stored_as_zero_is_turned_round(tmp_path: Path, dtype: str) -> None:
    pixels = slices(2, dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    study, [problem] = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(study.voxels[0], ~pixels)
    assert "white is stored as zero" in problem.reason


class TestAPalette:
    scale = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)

    def test_of_greys_gives_the_greys(self, tmp_path: Path) -> None:
        pixels = slices(1, "uint8")[0]
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="palette", colormap=self.scale[:, ::-1])
        study, _ = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[0, 0], 255 - pixels)

    def test_that_shows_a_scale_gives_the_stored_numbers(self, tmp_path: Path) -> None:
        pixels = slices(1, "uint8")[0]
        hot = self.scale // np.array([[1], [2], [4]], np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="palette", colormap=hot)
        study, [problem] = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[0, 0], pixels)
        assert "palette" in problem.reason

    def test_of_any_colours_is_refused(self, tmp_path: Path) -> None:
        colours = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype(np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", slices(1, "uint8")[0], photometric="palette", colormap=colours)
        with pytest.raises(UnreadableFileError, match="palette that is no scale"):
            read_study(tmp_path / "a.tif")


class TestTransparency:
    def test_that_says_nothing_is_left_out(self, tmp_path: Path) -> None:
        pixels = np.moveaxis(slices(4, "uint8"), 0, -1)
        pixels[..., 3] = 255
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
        study, [problem] = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[:, 0], np.moveaxis(pixels[..., :3], -1, 0))
        assert "transparency" in problem.reason

    def test_is_a_sequence_where_four_are_named(self, tmp_path: Path) -> None:
        pixels = np.moveaxis(slices(4, "uint8"), 0, -1)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
        named = (Sequence.PRE, Sequence.FLAIR, Sequence.POST, Sequence.OTHER)
        study, problems = read(tmp_path / "a.tif", named)
        np.testing.assert_array_equal(study.voxels[:, 0], np.moveaxis(pixels, -1, 0))
        assert not problems


class TestStacksDeclaredAsChannels:
    @pytest.mark.parametrize("name", ["stack", "rgb"])
    def test_of_more_than_any_head_has_are_slices(self, name: str) -> None:
        path = FILES / f"channels/{name}.tif"
        study, [problem] = read(path)
        assert study.shape == (8, 64, 64)
        pages = tifffile.imread(path)
        np.testing.assert_array_equal(study.voxels, np.moveaxis(pages, -1, 0) if pages.ndim == 4 else pages[None])
        assert problem.reason == "ImageJ declares 8 channels of one slice: taken for slices"

    @pytest.mark.parametrize("count", [2, 3, 4])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_of_few_are_slices_where_one_sequence_is_named(self, tmp_path: Path, count: int, dtype: str) -> None:
        pages = slices(count, dtype)
        for name, options in (("ij", {"imagej": True}), ("planes", {"photometric": "rgb"} if count > 2 else {})):
            tifffile.imwrite(tmp_path / f"{name}.tif", pages, **options)
            study, _ = read(tmp_path / f"{name}.tif", (Sequence.FLAIR,))
            np.testing.assert_array_equal(study.voxels[0], pages)

    def test_are_channels_where_so_many_are_named(self, tmp_path: Path) -> None:
        pages = slices(5)
        tifffile.imwrite(tmp_path / "a.tif", pages, imagej=True)
        named = (Sequence.PRE, Sequence.FLAIR, Sequence.POST, Sequence.OTHER, Sequence.OTHER)
        study, problems = read(tmp_path / "a.tif", named)
        np.testing.assert_array_equal(study.voxels[:, 0], pages)
        assert not problems

    def test_as_rgb_of_three_slices_are_read(self, tmp_path: Path) -> None:
        pages = np.stack([slices(3, "uint8")] * 3, axis=-1)
        tifffile.imwrite(tmp_path / "a.tif", pages, imagej=True)
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[0].voxels, np.moveaxis(pages, -1, 0))


class TestColourPlanesThatTifffileWrites:
    def test_of_four_slices_are_slices_and_it_is_said(self, tmp_path: Path) -> None:
        pages = slices(4)
        tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
        study, [problem] = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[0], pages)
        assert "4 colour planes, as tifffile writes a stack of 4 slices: taken for slices" in problem.reason

    def test_of_three_are_channels_and_it_is_said(self, tmp_path: Path) -> None:
        pages = slices(3)
        tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
        study, [problem] = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[:, 0], pages)
        assert "taken for channels of one slice" in problem.reason

    @pytest.mark.parametrize("options", [{"photometric": "minisblack"}, {"photometric": "rgb"}])
    def test_of_three_are_slices_if_the_mask_has_three(self, tmp_path: Path, options: dict) -> None:
        pages, masks = slices(3), np.zeros((3, 20, 24), np.uint8)
        masks[1, 4:8, 5:9] = 255
        tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
        tifffile.imwrite(tmp_path / "a_mask.tif", masks, **options)
        study, _ = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(study.voxels[0], pages)
        np.testing.assert_array_equal(study.mask, masks > 0)

    def test_of_three_are_channels_if_the_mask_has_one_slice(self, tmp_path: Path) -> None:
        mask = np.zeros((20, 24), np.uint8)
        mask[4:8, 5:9] = 255
        tifffile.imwrite(tmp_path / "a.tif", slices(3), photometric="rgb")
        tifffile.imwrite(tmp_path / "a_mask.tif", mask)
        study, _ = read(tmp_path / "a.tif")
        assert study.voxels.shape == (3, 1, 20, 24)
        np.testing.assert_array_equal(study.mask[0], mask > 0)


@pytest.mark.parametrize(
    ("unit", "millimetres"), [("mm", 1), ("um", 1e-3), ("micron", 1e-3), ("cm", 10), ("inch", 25.4), ("m", 1000)]
)
def test_imagej_spacing_in_any_unit(tmp_path: Path, unit: str, millimetres: float) -> None:
    per_pixel, between = 0.5 / millimetres, 3 / millimetres
    tifffile.imwrite(
        tmp_path / "a.tif",
        slices(4),
        imagej=True,
        resolution=(1 / per_pixel, 1 / per_pixel),
        metadata={"axes": "ZYX", "spacing": between, "unit": unit},
    )
    assert read_study(tmp_path / "a.tif").geometry.spacing == pytest.approx((3, 0.5, 0.5), rel=1e-3)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("µm", 1000), ("cm", 0.1), (None, 1000)])
def test_ome_spacing_in_any_unit(tmp_path: Path, unit: str | None, factor: float) -> None:
    sizes = {"PhysicalSizeX": 0.5 * factor, "PhysicalSizeY": 0.75 * factor, "PhysicalSizeZ": 3.0 * factor}
    units = {} if unit is None else {f"PhysicalSize{axis}Unit": unit for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.ome.tif", slices(4), metadata={"axes": "ZYX", **sizes, **units}, ome=True)
    assert read_study(tmp_path / "a.ome.tif").geometry.spacing == pytest.approx((3, 0.75, 0.5))


def test_spacing_of_a_microscope_is_not_believed(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "PhysicalSizeZ": 1.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", slices(4), metadata={"axes": "ZYX", **sizes}, ome=True)
    study, [problem] = read(tmp_path / "a.ome.tif")
    assert study.geometry.spacing is None
    assert problem.reason == "states voxels of 0.001 x 0.001 x 0.001 mm, which no MRI has; the spacing is not known"


def test_values_that_are_no_numbers_become_the_lowest_of_their_channel(tmp_path: Path) -> None:
    pages = slices(3, "float32") + 5
    pages[0, 0, :3] = np.nan, np.inf, -np.inf
    write_tiff(tmp_path / "a.tif", pages, channels=False)
    study, [problem] = read(tmp_path / "a.tif")
    assert (study.voxels[0, 0, 0, :3] == pages[np.isfinite(pages)].min()).all()
    assert problem.reason == "3 voxels without a finite value were given the lowest one"
    write_tiff(tmp_path / "a.tif", np.full((2, 4, 4), np.nan, np.float32))
    with pytest.raises(UnreadableFileError, match="holds no finite value"):
        read_study(tmp_path / "a.tif")


def test_previews_after_the_slices_are_left_out(tmp_path: Path) -> None:
    pages = slices(2, "uint8")
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, metadata=None)
        writer.write(pages[0, ::2, ::2], subfiletype=1, metadata=None)
    study, [problem] = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(study.voxels[0], pages)
    assert problem.reason.startswith("1 page that is a preview")


def test_big_endian_floats_are_native_in_memory(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">") as writer:
        writer.write(slices(1, "float32")[0])
    assert preflight(tmp_path / "a.tif").dtype == np.float32
    assert read_tiff(tmp_path / "a.tif").dtype.isnative
