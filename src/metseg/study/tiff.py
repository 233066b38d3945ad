"""Read and write MRI slices and stacks as TIFF.

:mod:`metseg.study.preflight` checks the headers, and the strips are handed straight to the codecs of `imagecodecs`.
A general TIFF reader would parse the headers a second time by its own rules, and pad, cut or
guess where a strip does not fit; here a strip that does not decode to exactly its declared size is an error.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study.files import write_atomically
from metseg.study.ifd import MAX_PAGES, open_regular
from metseg.study.preflight import COMPRESSIONS, MAX_DECODED, Page, TiffHeader, preflight
from metseg.study.sidecar import PIXELS_KEY, write_sidecar

#: Decoded bytes of neighbouring strips that are put together before they are copied into place.
_BAND = 1 << 20

#: Compressions whose strips and tiles are pictures with headers of their own.
_PICTURES = tuple(number for number, name in COMPRESSIONS.items() if name == "JPEG XL")

Voxels = npt.NDArray[np.uint8 | np.uint16]


def read_tiff(path: str | Path, channels: int | None = None) -> Voxels:
    """Read a TIFF of 8- or 16-bit unsigned pixels with 1 or 3 channels, or as many as are named.

    Parameters
    ----------
    path : str or Path
        Uncompressed, LZW, deflate, PackBits or JPEG XL; strips or tiles; TIFF or BigTIFF; at most 256 MiB decoded.
    channels : int, optional
        A number of channels that is taken beside 1 and 3.

    Returns
    -------
    ndarray, shape (page, c, y, x), uint8 or uint16
        Exactly what the file declares. Channels that ImageJ, OME or tifffile put on pages
        of their own are gathered into ``c``.

    Raises
    ------
    UnreadableFileError
        If the file is not such a TIFF, or is damaged.
    TooLargeError
        If it would take too much memory.
    """
    header = preflight(path, channels)
    try:
        pages = np.empty(header.shape, header.dtype)
    except MemoryError as error:
        raise TooLargeError(path, "not enough memory") from error
    read_into(header, pages)
    return pages


def read_into(header: TiffHeader, out: Voxels) -> None:
    """Decode the file that ``header`` describes.

    Parameters
    ----------
    header : TiffHeader
        From :func:`~metseg.study.preflight.preflight`.
    out : ndarray, shape ``header.shape``, dtype ``header.dtype``
        Is filled; half filled if an error is raised.

    Raises
    ------
    UnreadableFileError
        If a strip is not there or does not decode to its declared size.
    TooLargeError
        If there is not enough memory.
    """
    if out.shape != header.shape or out.dtype != header.dtype:
        raise ValueError(f"out is {out.shape} {out.dtype}; the file declares {header.shape} {header.dtype}")
    with open_regular(header.path) as file:
        for number, page in enumerate(header.pages):
            z, channel = header.arrangement.place(number)
            target = out[z] if header.format.samples > 1 else out[z, channel : channel + 1]
            try:
                _read_page(file, header, page, target)
            except MemoryError as error:
                raise TooLargeError(header.path, "not enough memory") from error
            except Exception as error:  # codecs raise what they like; whatever it is, the file is not readable
                reason = f"damaged: page {number + 1} cannot be decoded ({error})"
                raise UnreadableFileError(header.path, reason) from error


def _read_page(file: BinaryIO, header: TiffHeader, page: Page, out: Voxels) -> None:
    """Decode one page into ``out`` (c, y, x), a tile or a band of strips at a time."""
    samples, height, width = out.shape
    high, wide = page.segment
    channels = 1 if page.planar else samples
    row = wide * channels * header.dtype.itemsize
    down, across = -(-height // high), -(-width // wide)
    band = 1 if page.tiled else max(1, _BAND // (high * row))
    for plane in range(samples if page.planar else 1):
        for place in range(0, down * across, band):
            y, x = place // across * high, place % across * wide
            number = min(band, down * across - place)
            rows = [high] if page.tiled else [min(high, height - y - high * strip) for strip in range(number)]
            first = plane * down * across + place
            shapes = [(count, wide, channels) for count in rows]
            pixels = _segments(file, page, first, shapes, header.dtype.newbyteorder(header.byteorder))
            if page.predictor == 2:
                pixels = _undo_differences(pixels)
            pixels = np.moveaxis(pixels[: height - y, : width - x], -1, 0)
            out[plane : plane + channels, y : y + pixels.shape[1], x : x + pixels.shape[2]] = pixels


def _segments(
    file: BinaryIO, page: Page, first: int, shapes: list[tuple[int, int, int]], dtype: np.dtype[Any]
) -> Voxels:
    """Decode consecutive strips or tiles, each of which must have its shape (y, x, c); one below the other."""
    last = first + len(shapes)
    decode = _decode_picture if page.compression in _PICTURES else _decode_bytes
    parts: list[bytes | bytearray] = []
    for offset, count, shape in zip(
        page.offsets[first:last].tolist(), page.counts[first:last].tolist(), shapes, strict=True
    ):
        file.seek(offset)
        try:
            parts.append(decode(page.compression, file.read(count), shape, dtype))
        except ValueError as error:
            part = "tile" if page.tiled else "strip"
            raise ValueError(f"{part} {first + len(parts) + 1} {error}") from error
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    stored = dtype.newbyteorder("=") if page.compression in _PICTURES else dtype
    pixels = np.frombuffer(data, stored).reshape(-1, *shapes[0][1:])
    return np.asarray(pixels.astype(dtype.newbyteorder("="), copy=False))


def _decode_bytes(
    compression: int, data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> bytes | bytearray:
    """Unpack a strip or tile; one byte more than it may have shows that it is too long, and takes no memory."""
    import imagecodecs

    size = math.prod(shape) * dtype.itemsize
    match COMPRESSIONS[compression]:
        case "deflate":
            decoded = imagecodecs.deflate_decode(data, out=size + 1)
        case "LZW":
            decoded = imagecodecs.lzw_decode(data, out=size + 1)
        case "PackBits":
            decoded = imagecodecs.packbits_decode(data, out=size + 1)
        case _:
            decoded = data
    if len(decoded) != size:
        raise ValueError(f"holds {len(decoded)} bytes instead of {size}")
    return decoded


def _decode_picture(compression: int, data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> bytes:
    """Decode a strip or tile that is a picture of its own, with a size and type of its own: it must be this one.

    The codec compares them with ``out`` before it decodes a pixel.
    """
    import imagecodecs

    out: Voxels = np.empty(shape[:2] if shape[2] == 1 else shape, dtype.newbyteorder("="))
    try:
        imagecodecs.jpegxl_decode(data, out=out, numthreads=1)
    except Exception as error:  # the codec's own, unrelated to ValueError or not
        raise ValueError(f"is damaged or of another size or type ({error})") from error
    return out.tobytes()


def _undo_differences(pixels: Voxels) -> Voxels:
    """Undo TIFF's horizontal predictor (TIFF 6.0, section 14) along x of (y, x, c)."""
    import imagecodecs

    undone: Voxels = imagecodecs.delta_decode(pixels, axis=1)
    return undone


def write_tiff(
    path: str | Path,
    pages: npt.ArrayLike,
    *,
    channels: bool | None = None,
    spacing: Sequence[float] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a TIFF in one step: a reader sees the old file or the new one, never a part.

    Losslessly compressed (deflate); no description, no software and no date is written.

    Parameters
    ----------
    path : str or Path
        File to create or replace; its folder must exist.
    pages : array of uint8 or uint16, shape (y, x), (z, y, x), (y, x, 3) or (z, y, x, 3)
        One page for each z.
    channels : bool, optional
        Whether the last axis holds three channels. By default it does if there are four axes, or three
        with the last of length 3; say ``False`` for a stack of slices that are 3 pixels wide.
    spacing : (float, float, float), optional
        Along (z, y, x) in mm; written beside the TIFF as ``<name>.json``, as nnU-Net does.
    about : mapping of str to JSON values, optional
        What else is written there, such as what a mask is of; the hash of the pixels is added, see
        :func:`metseg.study.is_as_written`.

    Raises
    ------
    DataError
        If the array is of another kind, is larger than what :func:`read_tiff` reads, or cannot be written.
    """
    path = Path(path)
    data = np.asarray(pages)
    if channels is None:
        channels = data.ndim == 4 or (data.ndim == 3 and data.shape[-1] == 3)
    _check_writable(path, data, channels)
    data = data.reshape(-1, *data.shape[-3:] if channels else data.shape[-2:])
    if spacing is not None or about is not None:
        hashed = None if about is None else {**about, PIXELS_KEY: pixels_hash(data if channels else data[..., None])}
        write_sidecar(path, spacing, hashed)
    from tifffile import TiffWriter

    try:
        with write_atomically(path) as temporary, TiffWriter(temporary) as writer:
            for page in data:
                writer.write(
                    page,
                    photometric="rgb" if channels else "minisblack",
                    compression="zlib",
                    predictor=True,
                    metadata=None,
                    software=False,
                    maxworkers=1,
                )
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def pixels_hash(pages: npt.NDArray[Any]) -> str:
    """SHA-256 of pages (z, y, x, c): of their type, their shape and their bytes."""
    data = np.ascontiguousarray(pages, pages.dtype.newbyteorder("<"))
    found = hashlib.sha256(f"{data.dtype.name} {data.shape}".encode())
    found.update(data.tobytes())
    return found.hexdigest()


def _check_writable(path: Path, data: npt.NDArray[Any], channels: bool) -> None:
    if data.dtype.kind != "u" or data.dtype.itemsize not in (1, 2):
        raise DataError(f"{path}: {data.dtype} cannot be written; convert to uint8 or uint16 first")
    axes = data.ndim - int(channels)
    if axes not in (2, 3) or 0 in data.shape or (channels and data.shape[-1] != 3):
        raise DataError(f"{path}: an array of shape {data.shape} is neither slices nor slices of three channels")
    if data.nbytes > MAX_DECODED:
        raise DataError(f"{path}: {data.nbytes >> 20} MiB are more than one TIFF may hold ({MAX_DECODED >> 20} MiB)")
    if axes == 3 and data.shape[0] > MAX_PAGES:
        raise DataError(f"{path}: {data.shape[0]} slices are more than one TIFF may hold ({MAX_PAGES})")
