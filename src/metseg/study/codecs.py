"""Unpack one strip or tile of a TIFF with `imagecodecs`: to exactly what its header declares, or not at all."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: Compressions that are decoded, by TIFF number.
COMPRESSIONS: Final = {
    1: "none",
    5: "LZW",
    7: "JPEG",
    8: "deflate",
    32946: "deflate",
    32773: "PackBits",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34925: "LZMA",
    34926: "ZSTD",
    34927: "WebP",
    50000: "ZSTD",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
#: Compressions whose strips and tiles are pictures with a size, a type and colours of their own.
PICTURES: Final = frozenset({"JPEG", "JPEG 2000", "JPEG XL", "WebP"})
#: Compressions that a predictor may stand before.
PREDICTED: Final = frozenset({"LZW", "deflate", "LZMA", "ZSTD"})

#: More scans or tiles than any image of this size needs only keep the decoder busy.
_MAX_SCANS, _MAX_TILES = 64, 1024
_GREY, _RGB, _YCBCR = 1, 2, 6
#: What may follow the coded pixels of a JPEG scan: neither a stuffed zero nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END_OF_IMAGE, _START_OF_SCAN, _RESTART, _RESTART_INTERVAL = 0xD9, 0xDA, 0xD0, 0xDD
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
_RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")
#: Rows of the largest usual block; that a picture is decoded further than declared; that colours of rows below reach.
_BLOCK, _MORE_ROWS, _BLURRED_ROWS = 16, 40, 2
#: Bytes of which some mean something in any code.
_FURTHER = tuple(part * 100 for part in (b"\xfe\xda\xb6\xee", b"\xaa" * 4, b"\xcc" * 4, b"\x55" * 4))
_ADOBE_OR_JFIF = re.compile(rb"\xff\xe0..JFIF|\xff\xee..Adobe", re.DOTALL)
_SIZ = re.compile(rb"\xff\x4f\xff\x51")


def decode_bytes(compression: str, data: bytes, size: int) -> bytes | bytearray:
    """Unpack bytes; one more than there may be shows that they are too many, and takes no memory.

    Raises
    ------
    ValueError
        If they are not ``size`` bytes.
    Exception
        Whatever the codec raises.
    """
    import imagecodecs

    decoded: bytes | bytearray = data
    if compression != "none":
        decoded = getattr(imagecodecs, f"{compression.lower()}_decode")(data, out=size + 1)
    if len(decoded) != size:
        raise ValueError(f"holds {len(decoded)} bytes instead of {size}")
    return decoded


def decode_picture(
    compression: str, data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any], photometric: int, tables: bytes
) -> npt.NDArray[Any]:
    """Decode a picture, which must have this shape (y, x, c) and type; the codecs compare them before the first pixel.

    Parameters
    ----------
    photometric : int
        TIFF's photometric interpretation: JPEG's YCbCr becomes RGB.
    tables : bytes
        JPEG tables that all strips share.

    Raises
    ------
    ValueError
        If it is damaged or of another size or type.
    """
    import imagecodecs

    out = np.empty(shape[:2] if shape[2] == 1 else shape, dtype.newbyteorder("="))
    try:
        match compression:
            case "JPEG":
                _check_jpeg(data)
                colours, wanted = _jpeg_colours(data, shape[2], photometric)
                imagecodecs.jpeg8_decode(data, tables=tables or None, colorspace=colours, outcolorspace=wanted, out=out)
            case "JPEG 2000":
                _check_jpeg_2000(data, shape)
                imagecodecs.jpeg2k_decode(data, out=out, numthreads=1)
            case "WebP":
                imagecodecs.webp_decode(data, hasalpha=shape[2] == 4, out=out)
            case _:
                imagecodecs.jpegxl_decode(data, out=out, numthreads=1)
    except Exception as error:  # the codec's own, unrelated to ValueError or not
        raise ValueError(f"is damaged or of another size or type ({error})") from error
    return out.reshape(shape)


def _jpeg_colours(data: bytes, samples: int, photometric: int) -> tuple[int | None, int | None]:
    """JPEG's colour space, where it does not say so itself, and the one wanted."""
    if samples == 1:
        return None, _GREY
    if photometric == _YCBCR:
        return None, _RGB
    return (None if _ADOBE_OR_JFIF.search(data) else _RGB), _RGB


def _check_jpeg(data: bytes) -> None:
    """Where a marker is missing or spurious the codec would make up the rest of the picture."""
    end = dict(_markers(data))[_END_OF_IMAGE]
    if data[end + 2 :].strip(b"\0\xff"):
        raise ValueError("it ends before its bytes do")


def check_jpeg_rows(data: bytes) -> None:
    """Check that the coded pixels of a JPEG end with the last of the declared rows, give or take a block.

    The codec says nothing: it makes up rows that are not there, and leaves out those that are not declared. Here it
    decodes some rows more, with and without further bytes behind the pixels: the first row that they change is the
    first one that was not there.

    Raises
    ------
    ValueError
        If there are fewer or more rows, or the picture is damaged.
    """
    import imagecodecs

    kinds, places = zip(*_markers(data), strict=True)
    first = kinds.index(_START_OF_SCAN)
    start, end = places[first : first + 2]  # of several scans the first has the means of all blocks
    frame = next(place for kind, place in zip(kinds, places, strict=True) if kind in _FRAMES)
    rows = int.from_bytes(data[frame + 5 : frame + 7], "big")
    longer = data[: frame + 5] + (rows + _MORE_ROWS).to_bytes(2, "big") + data[frame + 7 :]
    restart = bytes([0xFF, _RESTART + len(_RESTARTS.findall(data, start, end)) % 8])
    unchanged = np.asarray(imagecodecs.jpeg8_decode(longer))
    for further in _FURTHER:
        behind = further + restart + further if _RESTART_INTERVAL in kinds else further
        changed = np.asarray(imagecodecs.jpeg8_decode(longer[:end] + behind + longer[end:]))
        found = np.flatnonzero((unchanged != changed).reshape(len(unchanged), -1).any(axis=1))
        if found.size and rows - _BLURRED_ROWS <= found[0] <= rows + _BLOCK:
            return
    raise ValueError(f"does not hold the {rows} rows that it declares")


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG in order, up to its end, and their places."""
    place, scans = 2, 0
    while True:
        if len(data) < place + 4 and data[place : place + 2] != b"\xff\xd9":
            raise ValueError("cut short")
        if data[place] != 0xFF or 0 < data[place + 1] < 0xC0:
            raise ValueError("a marker is missing")
        kind = data[place + 1]
        if kind == 0xFF:
            place += 1
            continue
        yield kind, place
        if kind == _END_OF_IMAGE:
            return
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if kind == _START_OF_SCAN:
            scans += 1
            found = _MARKER.search(data, place)
            if found is None or scans > _MAX_SCANS:
                raise ValueError("cut short" if found is None else "too many scans")
            place = found.start()


def _check_jpeg_2000(data: bytes, shape: tuple[int, int, int]) -> None:
    """Compare the declared size, before the codec makes room for every tile that is declared."""
    headers = [match.end() for match in _SIZ.finditer(data)]
    if not headers:
        raise ValueError("no JPEG 2000 code stream")
    for start in headers:
        x, y, left, top, wide, high, _, _, channels = struct.unpack_from(">8IH", data[start : start + 38], 4)
        if (y - top, x - left, channels) != shape or not wide or not high:
            raise ValueError(f"{channels} channels of {y - top} x {x - left}")
        if -(-(y - top) // high) * -(-(x - left) // wide) > _MAX_TILES:
            raise ValueError("too many tiles")
