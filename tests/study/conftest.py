"""TIFFs of every kind that is read, and a maker of TIFFs that no program would write."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

Image = npt.NDArray[Any]

JXL = {"compression": "jpegxl", "compressionargs": {"lossless": True}}
J2K = {"compression": "jpeg2000", "compressionargs": {"level": 0}}
WEBP = {"compression": "webp", "compressionargs": {"lossless": True}}
_STRUCTS = {"B": (1, "B"), "s": (2, "s"), "H": (3, "H"), "I": (4, "I"), "Q": (16, "Q")}


def _slice(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> Image:
    """Smooth enough to compress, with noise on it."""
    random = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(shape[-2]), np.arange(shape[-1])) * 3
    return (ramp + random.integers(0, 40, shape)).astype(dtype)


def _kinds() -> dict[str, tuple[Image, dict[str, Any]]]:
    """Array as (page, c, y, x), and how tifffile is to write it."""
    grey, rgb, deep = _slice((1, 1, 48, 40)), _slice((1, 3, 48, 40)), _slice((1, 1, 48, 40), "uint16") * 201
    stack = _slice((6, 1, 8, 10))
    return {
        "plain": (grey, {}),
        "plain strips": (grey, {"rowsperstrip": 7}),
        "rgb": (rgb, {"photometric": "rgb"}),
        "three plain channels": (rgb, {"photometric": "minisblack", "planarconfig": "contig"}),
        "planar": (rgb, {"photometric": "rgb", "planarconfig": "separate"}),
        "planar deflate strips": (
            rgb,
            {
                "photometric": "rgb",
                "planarconfig": "separate",
                "compression": "zlib",
                "predictor": True,
                "rowsperstrip": 9,
            },
        ),
        "lzw": (grey, {"compression": "lzw"}),
        "lzw predictor rgb": (rgb, {"photometric": "rgb", "compression": "lzw", "predictor": True}),
        "deflate predictor": (grey, {"compression": "zlib", "predictor": True, "rowsperstrip": 11}),
        "old deflate": (rgb, {"photometric": "rgb", "compression": 32946, "predictor": True}),
        "packbits": (grey // 64, {"compression": "packbits", "rowsperstrip": 10}),
        "tiled": (grey, {"tile": (16, 32)}),
        "tiled deflate rgb": (rgb, {"photometric": "rgb", "tile": (32, 16), "compression": "zlib", "predictor": True}),
        "tiled planar": (
            rgb,
            {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 16), "compression": "lzw"},
        ),
        "16 bit": (deep, {}),
        "16 bit big-endian": (deep, {"byteorder": ">"}),
        "16 bit big-endian predictor": (deep, {"byteorder": ">", "compression": "zlib", "predictor": True}),
        "16 bit rgb tiles": (
            rgb.astype("uint16") * 77,
            {"photometric": "rgb", "tile": (16, 16), "compression": "lzw", "predictor": True},
        ),
        "bigtiff": (stack, {"bigtiff": True, "compression": "zlib"}),
        "bigtiff big-endian": (deep, {"bigtiff": True, "byteorder": ">"}),
        "stack": (stack, {}),
        "stack deflate": (stack, {"compression": "zlib"}),
        "stack rgb 16 bit": (
            _slice((4, 3, 8, 9)).astype("uint16") * 200,
            {"photometric": "rgb", "compression": "zlib"},
        ),
        "jpeg xl": (grey, JXL),
        "jpeg xl stack": (stack, JXL),
        "jpeg xl strips": (grey, JXL | {"rowsperstrip": 16}),
        "jpeg xl tiles": (grey, JXL | {"tile": (16, 32)}),
        "jpeg xl rgb": (rgb, JXL | {"photometric": "rgb"}),
        "jpeg xl 16 bit": (deep, JXL),
        "no description": (stack, {"metadata": None}),
        "int8": (grey.astype("int8"), {"compression": "zlib", "predictor": True}),
        "int16": ((deep.astype("int32") - 32768).astype("int16"), {"rowsperstrip": 7}),
        "int16 big-endian": (deep.astype("int16"), {"byteorder": ">", "compression": "lzw", "predictor": True}),
        "int32 stack": (stack.astype("int32") * -70000, {"compression": "zlib", "predictor": True}),
        "uint32": (deep.astype("uint32") * 65537, {"tile": (16, 16)}),
        "int64": (deep.astype("int64") << 40, {}),
        "uint64": (deep.astype("uint64") << 40, {"byteorder": ">"}),
        "float16": (grey.astype("float16") / 7, {"compression": "zlib", "predictor": True}),
        "float32": (deep.astype("float32") / 7, {}),
        "float32 predictor tiles": (
            deep.astype("float32") / 7,
            {"tile": (16, 32), "compression": "zlib", "predictor": 3},
        ),
        "float32 big-endian predictor": (
            deep.astype("float32") / 7,
            {"byteorder": ">", "compression": "zstd", "predictor": 3},
        ),
        "float64 rgb": (rgb.astype("float64") / 7, {"photometric": "rgb", "compression": "lzma", "predictor": 3}),
        "zstd": (deep, {"compression": "zstd", "predictor": True, "rowsperstrip": 13}),
        "lzma stack": (stack, {"compression": "lzma"}),
        "jpeg 2000": (deep, J2K | {"tile": (16, 32)}),
        "jpeg 2000 rgb": (rgb, J2K | {"photometric": "rgb"}),
        "webp": (rgb, WEBP | {"photometric": "rgb", "tile": (16, 32)}),
        "jpeg xl float": (deep.astype("float32") / 7, JXL),
        "planes of 16 bit": (rgb.astype("uint16") * 77, {"photometric": "rgb", "planarconfig": "separate"}),
    }


@pytest.fixture(scope="session")
def kinds() -> dict[str, tuple[Image, dict[str, Any]]]:
    return _kinds()


@pytest.fixture(scope="session")
def write_kind() -> Callable[[Path, Image, Mapping[str, Any]], Path]:
    """Write a (page, c, y, x) array with tifffile."""

    def write(path: Path, pages: Image, options: Mapping[str, Any]) -> Path:
        opening = {key: options[key] for key in ("bigtiff", "byteorder") if key in options}
        writing = {"photometric": "minisblack"} | {key: options[key] for key in options if key not in opening}
        with tifffile.TiffWriter(path, **opening) as writer:
            separate = writing.get("planarconfig") == "separate"
            data = pages[:, 0] if pages.shape[1] == 1 else pages if separate else np.moveaxis(pages, 1, -1)
            writer.write(data[0] if len(data) == 1 else data, **writing)
        return path

    return write


Fields = Mapping[int, tuple[str, Any]]


@pytest.fixture(scope="session")
def make_tiff() -> Callable[..., bytes]:
    """Build a TIFF tag by tag: ``{tag: (struct letter, values)}`` for each page, pixels first."""

    def make(pages: list[Fields], pixels: bytes = b"", *, loop_to: int | None = None, big: bool = False) -> bytes:
        if big:
            out = bytearray(b"II+\0" + struct.pack("<HHQ", 8, 0, 0))
            patch, word, count_letter, entry = 8, "Q", "Q", "<HHQ"
        else:
            out = bytearray(b"II*\0" + struct.pack("<I", 0))
            patch, word, count_letter, entry = 4, "I", "H", "<HHI"
        out += pixels + b"\0" * (len(pixels) % 2)
        inline = struct.calcsize(word)
        starts = []
        for fields in pages:
            packed = {}
            for tag, (letter, values) in sorted(fields.items()):
                kind, code = _STRUCTS[letter]
                if letter == "s":
                    packed[tag] = kind, len(values), bytes(values)
                else:
                    listed = values if isinstance(values, list) else [values]
                    packed[tag] = kind, len(listed), struct.pack(f"<{len(listed)}{code}", *listed)
            block = bytearray()
            for tag, (kind, count, data) in packed.items():
                if len(data) > inline:
                    where = len(out)
                    out += data + b"\0" * (len(data) % 2)
                    data = struct.pack("<" + word, where)
                block += struct.pack(entry, tag, kind, count) + data.ljust(inline, b"\0")
            starts.append(len(out))
            struct.pack_into("<" + word, out, patch, len(out))
            out += struct.pack("<" + count_letter, len(packed)) + block
            patch = len(out)
            out += struct.pack("<" + word, 0)
        if loop_to is not None:
            struct.pack_into("<" + word, out, patch, starts[loop_to])
        return bytes(out)

    return make


@pytest.fixture(scope="session")
def plain_fields() -> Callable[..., dict[int, tuple[str, Any]]]:
    """Tags of a plain 8-bit page whose pixels begin at byte 8; others by keyword ``t<number>``."""

    def fields(width: int = 16, height: int = 8, **others: tuple[str, Any] | None) -> dict[int, tuple[str, Any]]:
        tags: dict[int, tuple[str, Any]] = {
            256: ("I", width),
            257: ("I", height),
            258: ("H", 8),
            259: ("H", 1),
            262: ("H", 1),
            273: ("I", 8),
            277: ("H", 1),
            278: ("I", height),
            279: ("I", width * height),
        }
        for key, value in others.items():
            tag = int(key[1:])
            if value is None:
                tags.pop(tag)
            else:
                tags[tag] = value
        return tags

    return fields


@pytest.fixture(scope="session")
def enhanced() -> Callable[[Path, Path], None]:
    """Put the slices of a series in a folder into one enhanced multi-frame file, in the order of their names."""
    import pydicom
    from pydicom.dataset import Dataset

    def save(folder: Path, path: Path) -> None:
        files = [pydicom.dcmread(one) for one in sorted(folder.iterdir())]
        whole = files[0]
        frames = []
        for data in files:
            frame, plane = Dataset(), Dataset()
            plane.ImagePositionPatient = data.ImagePositionPatient
            frame.PlanePositionSequence = [plane]
            frames.append(frame)
        shared, measures, orientation = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, 3
        orientation.ImageOrientationPatient = whole.ImageOrientationPatient
        shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
        whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], frames
        whole.NumberOfFrames = len(files)
        whole.PixelData = b"".join(data.PixelData for data in files)
        for field in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            delattr(whole, field)
        whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
        whole.save_as(path)

    return save
