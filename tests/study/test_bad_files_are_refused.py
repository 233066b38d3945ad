"""Each kind of bad file gives one named error that says which file and why."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study import ProblemKind, find_studies, load, read_tiff


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_tiff(path)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    return caught.value.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"II", "not a TIFF file"),
        (b"II*\0\x08", "cut short: the file ends inside its header"),
        (b"II*\0\0\0\0\0", "the file holds no page"),
        (b"II+\0\x08\0\0\0" + bytes(8), "the file holds no page"),
        (b"II+\0\x04\0\0\0" + bytes(8), "the BigTIFF header is not valid"),
        (b"MM\0*\0\0\0\x08", "the header of page 1 lies outside the file"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "the header of page 1 claims 0 entries"),
        (b"slice 12 of the head\n", "not a TIFF file"),
        (b"BM" + bytes(116), "not a TIFF file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a TIFF file"),
    ],
)
def test_bytes_that_are_no_tiff(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    assert reason in refusal(path)


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (np.zeros((8, 8), np.complex64), {}, "complex pixels"),
        (np.zeros((8, 8, 2), np.uint8), {"planarconfig": "contig"}, "2 channels; only 1 or 3 are read"),
        (np.arange(256, dtype=np.uint8).reshape(8, 8, 4), {"photometric": "rgb"}, "it is partly transparent"),
        (np.zeros((8, 8, 5), np.uint8), {"photometric": "rgb"}, "5 channels; only 1 or 3 are read"),
        (np.zeros((8, 8, 4), np.uint8), {"photometric": "separated"}, "CMYK colours; only grey, palettes and RGB"),
        (np.zeros((8, 8), np.float32), {"photometric": "miniswhite"}, "floating point pixels whose white is zero"),
        (
            np.zeros((16, 16), np.uint8),
            {"compression": "png"},
            "compression 34933 is not read; save it with one of",
        ),
        (np.zeros((16, 16), np.uint8), {"subfiletype": 1}, "is a preview or a transparency mask"),
        (
            np.zeros((16, 16, 16), np.uint8),
            {"volumetric": True, "tile": (16, 16, 16)},
            "a page has depth (a volume inside one page)",
        ),
        (np.zeros((8, 8), np.uint8), {"extratags": [(274, 3, 1, 6, True)]}, "marked as rotated or mirrored"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_kinds_that_are_not_read(tmp_path: Path, pixels: np.ndarray, options: dict, reason: str) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pixels, **({"photometric": "minisblack"} | options))
    assert reason in refusal(path)


def test_pages_that_do_not_fit_together(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    for other in (np.zeros((8, 9), np.uint8), np.zeros((8, 8), np.uint16), np.zeros((8, 8, 3), np.uint8)):
        with tifffile.TiffWriter(path) as writer:
            writer.write(np.zeros((8, 8), np.uint8), photometric="minisblack")
            writer.write(other, photometric="rgb" if other.ndim == 3 else "minisblack")
        assert refusal(path).startswith("page 2 is 8 x ")


HUGE = 2**31


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"t256": ("I", 0)}, "the image is empty (8 x 0)"),
        ({"t256": None}, "damaged: the width is not in the header"),
        ({"t256": ("s", b"16")}, "damaged: the width is stored as type 2"),
        (
            {"t256": ("I", HUGE), "t257": ("I", HUGE)},
            "would take more than 256 MiB when decoded (2147483648 x 2147483648, 1 channel, 8 bit, 1 page)",
        ),
        (
            {"t256": ("I", 20_000), "t257": ("I", 20_000), "t278": ("I", 1)},
            "would take more than 256 MiB when decoded (20000 x 20000",
        ),
        (
            {"t256": ("I", 15_000), "t257": ("I", 15_000), "t278": ("I", 15_000)},
            "a strip or tile takes more than 32 MiB",
        ),
        ({"t278": ("I", 0)}, "strips of 0 rows cannot be"),
        ({"t278": ("I", 4)}, "the list of strips or tiles has 1 values where the image's size needs 2 values"),
        ({"t273": ("I", [8, 8])}, "the list of strips or tiles has 2 values where the image's size needs 1 values"),
        ({"t279": ("I", 0)}, "pixels are missing"),
        ({"t273": ("I", 100_000)}, "pixels lie outside the file"),
        ({"t279": ("I", 100_000)}, "pixels lie outside the file"),
        ({"t279": ("I", 127)}, "strip 1 holds 127 bytes instead of 128"),
        ({"t279": ("I", 129)}, "strip 1 holds 129 bytes instead of 128"),
        ({"t257": ("I", 7)}, "strip 1 holds 128 bytes instead of 112"),
        (
            {"t278": ("I", 4), "t273": ("I", [8, 40]), "t279": ("I", [64, 64])},
            "two strips or tiles share the same bytes",
        ),
        ({"t258": ("H", [8, 8])}, "the bits of a pixel has 2 values for 1 channels"),
        ({"t277": ("H", 3), "t258": ("H", [8, 8, 16])}, "the bits of a pixel differs between channels"),
        ({"t277": ("H", 3), "t338": ("H", [2, 0])}, "a channel is transparency"),
        ({"t317": ("H", 3)}, "predictor 3 with compression none is not read"),
        ({"t266": ("H", 3)}, "the order of bits in a byte does not exist"),
        ({"t258": ("H", 24)}, "24-bit unsigned pixels are not read"),
        ({"t258": ("H", 8), "t339": ("H", 3)}, "8-bit floating point pixels are not read"),
        ({"t258": ("H", 1), "t259": ("H", 7)}, "1-bit pixels cannot be compressed as JPEG"),
        ({"t262": ("H", 6)}, "YCbCr colours without JPEG"),
        ({"t262": ("H", 3)}, "damaged: the palette is not in the header"),
        ({"t259": ("H", 7), "t347": ("I", [1, 2, 3])}, "damaged: the JPEG tables cannot be"),
        ({"t284": ("H", 3)}, "planar configuration 3 does not exist"),
        ({"t322": ("I", 16), "t323": ("I", 16)}, "both strips and tiles are declared"),
        ({"t273": None, "t279": None, "t322": ("I", 5), "t323": ("I", 16)}, "tiles of 16 x 5 cannot be"),
        (
            {"t273": None, "t279": None, "t322": ("I", HUGE), "t323": ("I", HUGE)},
            "a strip or tile takes more than 32 MiB",
        ),
        ({"t270": ("s", b"ImageJ=1.54\nimages=many\n")}, "damaged: ImageJ declares images=many"),
        ({"t270": ("s", b'{"shape": [9, 9]}')}, "tifffile declares the shape 9 x 9, which its pages do not have"),
        ({"t270": ("s", b'<OME><Pixels SizeC="1" SizeZ="0"/></OME>')}, "the OME description is not valid"),
        ({"t270": ("s", b"<OME></OME>")}, "OME-TIFF with 0 images"),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, make_tiff, plain_fields, others: dict, reason: str) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(make_tiff([plain_fields(**others)], bytes(256)))
    assert reason in refusal(path)


def test_the_page_maker_makes_pages_that_are_read(tmp_path: Path, make_tiff, plain_fields) -> None:
    path = tmp_path / "x.tif"
    pixels = np.arange(128, dtype=np.uint8)
    for big, start in ((False, ("I", 8)), (True, ("Q", 16))):
        path.write_bytes(make_tiff([plain_fields(t273=start)], pixels.tobytes(), big=big))
        np.testing.assert_array_equal(read_tiff(path)[0, 0], pixels.reshape(8, 16))


def test_pages_in_a_loop(tmp_path: Path, make_tiff, plain_fields) -> None:
    path = tmp_path / "x.tif"
    pages = [plain_fields(t273=("I", 8 + 128 * page)) for page in range(3)]
    for loop_to in range(3):
        path.write_bytes(make_tiff(pages, bytes(3 * 128), loop_to=loop_to))
        assert refusal(path) == "damaged: the list of pages runs in a loop after page 3"


def test_more_pages_or_entries_than_any_head_needs(tmp_path: Path, make_tiff, plain_fields) -> None:
    path = tmp_path / "x.tif"
    pages = [plain_fields(1, 1, t273=("I", 8 + page)) for page in range(4097)]
    path.write_bytes(make_tiff(pages, bytes(4097)))
    assert refusal(path) == "more than 4096 pages"
    with pytest.raises(TooLargeError):
        read_tiff(path)
    assert [problem.kind for problem in load(find_studies(path)[0]).problems if problem.refused] == [
        ProblemKind.TOO_LARGE
    ]
    extra = dict.fromkeys(range(40000, 41000), ("H", 0))
    path.write_bytes(make_tiff([plain_fields(1, 1, t273=("I", 8 + page)) | extra for page in range(140)], bytes(140)))
    assert refusal(path) == "damaged: more header entries than any image needs"
    path.write_bytes(make_tiff([plain_fields() | dict.fromkeys(range(30000, 32000), ("H", 0))], bytes(128)))
    assert refusal(path) == "damaged: the header of page 1 claims 2009 entries"


def test_a_tag_that_is_there_twice(tmp_path: Path, make_tiff, plain_fields) -> None:
    path = tmp_path / "x.tif"
    content = make_tiff([plain_fields()], bytes(128))
    path.write_bytes(content.replace(struct.pack("<HHI", 257, 4, 1), struct.pack("<HHI", 256, 4, 1)))
    assert refusal(path) == "damaged: the header of page 1 has tag 256 twice"


ENCODERS: dict[int, Callable[[bytes], bytes]] = {
    34925: imagecodecs.lzma_encode,
    50000: imagecodecs.zstd_encode,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32946: zlib.compress,
    32773: imagecodecs.packbits_encode,
}


@pytest.mark.parametrize("compression", ENCODERS)
@pytest.mark.parametrize("length", [0, 1, 64, 127, 129, 1000, 1_000_000])
def test_strips_that_decode_to_another_size_than_declared(
    tmp_path: Path, make_tiff, plain_fields, compression: int, length: int
) -> None:
    encoded = ENCODERS[compression](bytes(length))
    path = tmp_path / "x.tif"
    fields = plain_fields(t259=("H", compression), t279=("I", len(encoded)))
    path.write_bytes(make_tiff([fields], encoded))
    reason = refusal(path)
    assert "page 1 cannot be decoded" in reason or "has no bytes" in reason or "more bytes than its pixels" in reason


@pytest.mark.parametrize("compression", [8, 32946])
def test_a_damaged_deflate_strip_is_noticed_by_its_checksum(
    tmp_path: Path, make_tiff, plain_fields, compression: int
) -> None:
    encoded = bytearray(zlib.compress(bytes(128), 0))
    path = tmp_path / "x.tif"
    fields = plain_fields(t259=("H", compression), t279=("I", len(encoded)))
    path.write_bytes(make_tiff([fields], bytes(encoded)))
    assert read_tiff(path).sum() == 0
    encoded[40] ^= 1
    path.write_bytes(make_tiff([fields], bytes(encoded)))
    assert "cannot be decoded" in refusal(path)


class TestThingsThatAreNoFiles:
    def test_a_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tif"
        path.mkdir()
        assert refusal(path) == "is a folder, not a file"
        with pytest.raises(DataError, match="no image in it"):
            find_studies(path)

    def test_nothing(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "x.tif") == "does not exist"
        with pytest.raises(DataError, match="does not exist"):
            find_studies(tmp_path / "x.tif")

    def test_a_name_that_no_file_can_have(self) -> None:
        assert "cannot be opened" in refusal(Path("a\0.tif"))
        with pytest.raises(DataError, match="a"):
            find_studies(Path("a\0.tif"))

    @pytest.mark.skipif(os.name != "posix", reason="named pipes are files of their own only on POSIX systems")
    def test_a_pipe_nobody_writes_to(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tif"
        os.mkfifo(path)
        assert refusal(path) == "is not a regular file"

    @pytest.mark.skipif(os.name != "posix", reason="permissions are set this way only on POSIX systems")
    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "x.tif"
        Image.new("L", (4, 4)).save(path)
        path.chmod(0)
        if os.geteuid() != 0:
            assert refusal(path) == "may not be read: permission denied"
            return
        for folder in (tmp_path, *list(tmp_path.parents)[:2]):
            folder.chmod(0o755)
        os.seteuid(65534)
        try:
            assert refusal(path) == "may not be read: permission denied"
        finally:
            os.seteuid(0)
