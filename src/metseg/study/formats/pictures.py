"""One slice as PNG or JPEG."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.study.codecs import check_jpeg_rows
from metseg.study.formats.reader import Found, Header, named, one_by_one
from metseg.study.geometry import Geometry
from metseg.study.ifd import open_regular

#: Channels of Pillow's modes, with the opaque fourth or second; pixels of 16 bits are ``I``.
_CHANNELS = {"1": 1, "L": 1, "LA": 1, "I;16": 1, "I": 1, "P": 3, "RGB": 3, "RGBA": 3, "PA": 3}
#: Longest side of a picture.
_MAX_SIDE = 1 << 15
#: Most pixels that a byte can stand for, with room to spare: each block of 8 x 8 of a JPEG takes a bit or more, and
#: deflate makes one byte of at most 1,032, of 8 pixels each.
_MOST_PIXELS = {"JPEG": 2 * 8 * 64, "PNG": 2 * 8 * 1032}


def _header(path: Path, kind: str) -> Header:
    """What a picture declares; no pixel is decoded."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with (
        open_regular(path) as file,
        named(path, f"the {kind} header is damaged"),
        Image.open(file, formats=[kind]) as header,
    ):
        (columns, rows), mode = header.size, header.mode
        deep = mode in ("I", "I;16") or (kind == "PNG" and _is_deep(path))
        size = file.seek(0, os.SEEK_END)
    if mode not in _CHANNELS:
        raise UnsupportedFileError(path, f"{mode} colours; only grey and RGB are read")
    if max(rows, columns) > _MAX_SIDE:
        raise TooLargeError(path, f"{rows} x {columns} pixels; the longest side may be {_MAX_SIDE}")
    if rows * columns > _MOST_PIXELS[kind] * size:
        raise UnreadableFileError(path, f"cut short or damaged: {size} bytes cannot hold {rows} x {columns} pixels")
    shape = (_CHANNELS[mode], 1, rows, columns)
    return Header(kind, (path,), shape, np.dtype(np.uint16 if deep else np.uint8), Geometry(), ((0, 0),))


def _is_deep(path: Path) -> bool:
    """Whether the samples of a PNG have 16 bits (PNG specification, section 11.2.2); Pillow does not say for RGB."""
    with open_regular(path) as file:
        return file.read(25)[24:] == b"\x10"


def _as_declared(header: Header, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels (y, x) or (y, x, c) as (c, 1, y, x), without an opaque channel of transparency."""
    channels = pixels if pixels.ndim == 3 else pixels[..., None]
    if channels.shape[-1] in (2, 4):
        if (channels[..., -1] != np.iinfo(pixels.dtype).max).any():
            raise UnsupportedFileError(header.path, "the image is partly transparent; save it without transparency")
        channels = channels[..., :-1]
    voxels = np.ascontiguousarray(channels.transpose(2, 0, 1)[:, None])
    if voxels.dtype == bool:
        voxels = voxels.astype(np.uint8) * np.uint8(255)
    if voxels.shape != header.shape or voxels.dtype != header.dtype:
        raise UnreadableFileError(header.path, "the image has another size or type than its header declares")
    return voxels


def _png(path: Path) -> npt.NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


def _jpeg(path: Path) -> npt.NDArray[Any]:
    from PIL import Image

    check_jpeg_rows(path.read_bytes())
    with Image.open(path, formats=["JPEG"]) as image:
        return np.asarray(image)


@dataclass(frozen=True, slots=True)
class PictureReader:
    """Reads a format of pictures, which begin with ``signature``."""

    name: str
    suffixes: tuple[str, ...]
    about: str
    signature: bytes
    decode: Callable[[Path], npt.NDArray[Any]]

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as such files do."""
        return head.startswith(self.signature)

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Each file is an image of one slice."""
        return one_by_one(files, lambda path: _header(path, self.name))

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, 1, y, x)."""
        with named(header.path, "the pixels cannot be decoded"):
            return _as_declared(header, self.decode(header.path))


PNG = PictureReader(
    "PNG",
    (".png",),
    "one slice a file, grey or RGB, 8 or 16 bits; without transparency",
    b"\x89PNG\r\n\x1a\n",
    _png,
)
JPEG = PictureReader("JPEG", (".jpg", ".jpeg"), "one slice a file, grey or RGB", b"\xff\xd8\xff", _jpeg)
