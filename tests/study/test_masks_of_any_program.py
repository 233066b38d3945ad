"""Masks are read however programs write them; those that are probably not meant so are remarked on with the fix."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from metseg.errors import UnreadableFileError
from metseg.study import Problem, ProblemKind, find_studies, load, write_tiff
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of

FILES = Path(__file__).parent / "files"
SIZE = (64, 72)


def lesion() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[20:31, 12:30] = mask[40:44, 50:53] = True
    return mask


def read(folder: Path) -> tuple[np.ndarray | None, list[Problem]]:
    loaded = load(find_studies(folder)[0])
    return loaded.studies[0].mask, [one for one in loaded.problems if one.kind is ProblemKind.MASK]


def read_pixels(folder: Path, pixels: np.ndarray, **options: Any) -> tuple[np.ndarray | None, list[Problem]]:
    write_tiff(folder / "P.tif", np.zeros((*SIZE, 3), np.uint8))
    tifffile.imwrite(folder / "P_mask.tif", pixels, **options)
    mask, problems = read(folder)
    return None if mask is None else mask[0], problems


@pytest.mark.parametrize("kind", ["rgb", "palette", "bool_1bit", "int32_napari", "float", "whiteiszero_fiji"])
def test_the_same_mask_in_every_program(kind: str) -> None:
    mask, problems = read(FILES / "masks" / kind / "P")
    assert mask is not None
    assert mask.dtype == np.uint8
    expected = tifffile.imread(FILES / "masks/float/P/P_2_mask.tif") > 0
    np.testing.assert_array_equal(mask[0], expected)
    assert len(problems) == (kind in ("bool_1bit", "whiteiszero_fiji"))


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "float32", "float64"]
)
@pytest.mark.parametrize("top", [1, 7, 100])
def test_any_type_and_any_number(tmp_path: Path, dtype: str, top: int) -> None:
    mask, problems = read_pixels(tmp_path, (lesion() * top).astype(dtype))
    np.testing.assert_array_equal(mask, lesion())
    assert not problems


@pytest.mark.parametrize("compression", [None, "zlib", "zstd", "jpegxl", "lzw"])
def test_0_and_255_however_compressed(tmp_path: Path, compression: str | None) -> None:
    args = {"compressionargs": {"lossless": True}} if compression == "jpegxl" else {}
    mask, problems = read_pixels(tmp_path, lesion() * np.uint8(255), compression=compression, **args)
    np.testing.assert_array_equal(mask, lesion())
    assert not problems


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16", "LA"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits"])
def test_every_mode_of_pillow(tmp_path: Path, mode: str, compression: str) -> None:
    write_tiff(tmp_path / "P.tif", np.zeros((*SIZE, 3), np.uint8))
    Image.fromarray(lesion() * np.uint8(255)).convert(mode).save(tmp_path / "P_mask.tif", compression=compression)
    mask, problems = read(tmp_path)
    np.testing.assert_array_equal(mask[0], lesion())
    assert not problems


def test_a_palette_in_any_order(tmp_path: Path) -> None:
    write_tiff(tmp_path / "P.tif", np.zeros((*SIZE, 3), np.uint8))
    for colours in ([255, 255, 255, 0, 0, 0], [255, 0, 0, 0, 0, 0]):
        image = Image.fromarray((~lesion()).astype(np.uint8), "P")
        image.putpalette(colours)
        image.save(tmp_path / "P_mask.tif")
        np.testing.assert_array_equal(read(tmp_path)[0][0], lesion())


def test_a_lesion_painted_on_a_transparent_layer(tmp_path: Path) -> None:
    pixels = np.full((*SIZE, 4), 255, np.uint8)
    pixels[..., 3] = lesion() * 255
    np.testing.assert_array_equal(read_pixels(tmp_path, pixels, photometric="rgb")[0], lesion())


def test_coloured_labels_are_lesion_wherever_they_are_not_black(tmp_path: Path) -> None:
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[20:31, 12:30] = 255, 0, 0
    pixels[40:44, 50:53] = 0, 80, 0
    mask, [problem] = read_pixels(tmp_path, pixels, photometric="rgb")
    np.testing.assert_array_equal(mask, lesion())
    assert "every colour other than black" in problem.reason


class TestLabels:
    def test_of_many_lesions_are_lesion(self, tmp_path: Path) -> None:
        labels = np.zeros(SIZE, np.uint16)
        for number in range(60):
            y, x = divmod(number, 10)
            labels[y * 10 : y * 10 + 5, x * 7 : x * 7 + 5] = number * 37 + 1
        mask, problems = read_pixels(tmp_path, labels)
        np.testing.assert_array_equal(mask, labels > 0)
        assert not problems

    def test_of_parts_of_a_lesion_are_lesion(self, tmp_path: Path) -> None:
        for numbers in ((1, 2, 4), (85, 170, 255), (127, 255, 64)):
            labels = np.zeros(SIZE, np.uint8)
            labels[5:40, 5:40] = numbers[0]
            labels[10:34, 12:35] = numbers[1]
            labels[40:60, 5:30] = numbers[2]
            mask, problems = read_pixels(tmp_path, labels)
            np.testing.assert_array_equal(mask, labels > 0)
            assert not problems

    def test_stay_labels_in_a_mask_that_is_opened_alone(self, tmp_path: Path) -> None:
        labels = np.zeros((2, *SIZE), np.int32)
        labels[0, 5:40, 5:60], labels[1, 5:40, 5:60] = 3, 5
        tifffile.imwrite(tmp_path / "a_mask.tif", labels)
        got, problems = labels_of(read_mask(mask_header(tmp_path / "a_mask.tif")))
        np.testing.assert_array_equal(got, labels)
        assert not problems
        write_tiff(tmp_path / "a_mask.tif", lesion() * np.uint8(255))
        np.testing.assert_array_equal(labels_of(read_mask(mask_header(tmp_path / "a_mask.tif")))[0][0], lesion())


class TestGreyEdges:
    @pytest.mark.parametrize("level", [50, 75, 95])
    @pytest.mark.parametrize("rgb", [False, True])
    def test_of_jpeg_are_cut_in_the_middle(self, tmp_path: Path, level: int, rgb: bool) -> None:
        pixels = lesion() * np.uint8(255)
        options = {"compression": "jpeg", "compressionargs": {"level": level}}
        if rgb:
            pixels, options["photometric"] = np.repeat(pixels[..., None], 3, -1), "rgb"
        mask, [problem] = read_pixels(tmp_path, pixels, **options)
        np.testing.assert_array_equal(mask, lesion())
        assert "grey at its edges" in problem.reason

    @pytest.mark.parametrize("order", [1, 3])
    @pytest.mark.parametrize("top", [1.0, 255, 65535])
    def test_of_resizing_are_cut_in_the_middle(self, tmp_path: Path, order: int, top: float) -> None:
        large = ndimage.zoom(lesion().astype(np.float32), 2.5, order=order)
        small = large[: SIZE[0], : SIZE[1]]
        dtype = {1.0: np.float32, 255: np.uint8, 65535: np.uint16}[top]
        pixels = np.clip(np.rint(small * top) if top > 1 else small, None if top == 1 else 0, top).astype(dtype)
        mask, [problem] = read_pixels(tmp_path, pixels)
        assert (mask != (small > 0.5)).sum() <= 0.02 * mask.sum()
        assert "grey at its edges" in problem.reason

    def test_are_cut_at_one_level_on_all_slices(self, tmp_path: Path) -> None:
        for number, factor in enumerate((1.0, 0.4)):
            soft = ndimage.gaussian_filter(lesion() * 255.0, 1.0) * factor
            write_tiff(tmp_path / f"P_{number}.tif", np.zeros((*SIZE, 3), np.uint8))
            write_tiff(tmp_path / f"P_{number}_mask.tif", soft.astype(np.uint8))
        mask, [problem] = read(tmp_path)
        assert mask[0].any()
        assert not mask[1].any()
        assert problem.reason.endswith("(as 1 other mask of the study)")


@pytest.mark.parametrize("factor", [1, 257])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_a_head_is_no_mask(tmp_path: Path, head, factor: int, dtype: str) -> None:
    image = head.voxels[1, head.shape[0] // 2].astype(np.float32) * factor / 2
    image[5, 5] = image.max() * 30 if dtype == "float32" else image.max()
    write_tiff(tmp_path / "P.tif", np.zeros((*image.shape, 3), np.uint8))
    tifffile.imwrite(tmp_path / "P_mask.tif", image.astype(dtype))
    mask, [problem] = read(tmp_path)
    assert mask is None
    assert problem.refused
    assert "not a mask: it has" in problem.reason


def test_noise_and_smooth_shades_are_no_masks(tmp_path: Path) -> None:
    shade = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1])).astype(np.float32)
    blob = ndimage.gaussian_filter(lesion() * 255.0, 9.0)
    for pixels in (shade, np.random.default_rng(0).random(SIZE).astype(np.float32), blob.astype(np.float32)):
        mask, [problem] = read_pixels(tmp_path, pixels)
        assert mask is None
        assert problem.refused


class TestAMaskThatIsProbablyNotMeantSo:
    def test_with_background_1_and_lesion_2(self) -> None:
        mask, [problem] = read(FILES / "inverted/background_is_1/P")
        np.testing.assert_array_equal(mask[0], tifffile.imread(FILES / "masks/float/P/P_2_mask.tif") > 0)
        assert "has no 0: 1, its commonest number, was taken for the background; save masks with 0" in problem.reason

    def test_with_background_1_on_slices_without_lesion(self, tmp_path: Path) -> None:
        for number, pixels in enumerate((lesion() + np.uint8(1), np.ones(SIZE, np.uint8))):
            write_tiff(tmp_path / f"P_{number}.tif", np.zeros((*SIZE, 3), np.uint8))
            write_tiff(tmp_path / f"P_{number}_mask.tif", pixels)
        mask, [problem] = read(tmp_path)
        np.testing.assert_array_equal(mask, [lesion(), np.zeros(SIZE)])
        assert not problem.refused

    def test_inverted(self) -> None:
        mask, [problem] = read(FILES / "inverted/inverted/P")
        assert mask.mean() > 0.9
        assert problem.path.name == "P_2_mask.tif"
        assert not problem.refused
        assert "invert it (Fiji: Edit > Invert; Python: mask.max() - mask)" in problem.reason

    def test_with_the_inverted_lookup_table_of_fiji(self, tmp_path: Path) -> None:
        mask, problems = read_pixels(tmp_path, lesion() * np.uint8(255), photometric="miniswhite")
        np.testing.assert_array_equal(mask, ~lesion())
        assert any("in Fiji choose Image > Lookup Tables > Invert LUT" in problem.reason for problem in problems)
        mask, [problem] = read_pixels(tmp_path, ~lesion() * np.uint8(255), photometric="miniswhite")
        np.testing.assert_array_equal(mask, lesion())
        assert "Fiji's inverted lookup table" in problem.reason

    def test_of_bits_without_any_lesion(self, tmp_path: Path) -> None:
        mask, [problem] = read_pixels(tmp_path, np.zeros(SIZE, bool))
        assert not mask.any()
        assert "one bit a pixel" in problem.reason

    def test_without_a_finite_value_somewhere(self, tmp_path: Path) -> None:
        pixels = np.where(lesion(), 1.0, np.nan).astype(np.float32)
        mask, [problem] = read_pixels(tmp_path, pixels)
        np.testing.assert_array_equal(mask, lesion())
        assert "without a finite value" in problem.reason


def test_a_picture_that_is_opened_as_a_mask_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, *SIZE), np.uint8)
    tifffile.imwrite(tmp_path / "a_mask.tif", noise)
    with pytest.raises(UnreadableFileError, match="not a mask: it has 255 distinct values"):
        labels_of(read_mask(mask_header(tmp_path / "a_mask.tif")))


def test_remarks_on_masks_are_shown_where_training_starts(tmp_path: Path) -> None:
    from metseg.events import Notice
    from metseg.training.dataset import load_masked

    shutil.copytree(FILES / "inverted/inverted/P", tmp_path / "P")
    notices = [event.text for event in load_masked(find_studies(tmp_path)) if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "nearly everything is lesion" in notices[0]
