"""Read and write MRI slices and stacks as TIFF.

:mod:`metseg.study.preflight` checks the headers, and the strips are handed straight to :mod:`metseg.study.codecs`.
A general TIFF reader would parse the headers a second time by its own rules, and pad, cut or
guess where a strip does not fit; here a strip that does not decode to exactly its declared size is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.study.codecs import PICTURES, decode_bytes, decode_picture
from metseg.study.files import write_atomically
from metseg.study.ifd import MAX_PAGES, ByteOrder, open_regular
from metseg.study.pageformat import WHITE_IS_ZERO, PageFormat
from metseg.study.preflight import MAX_DECODED, Page, TiffHeader, preflight
from metseg.study.sidecar import PIXELS_KEY, write_sidecar

#: Decoded bytes of neighbouring strips that are put together before they are copied into place.
_BAND = 1 << 20

Voxels = npt.NDArray[Any]


def read_tiff(path: str | Path) -> Voxels:
    """Read a TIFF of pixels of any real type with 1 or 3 channels.

    Parameters
    ----------
    path : str or Path
        Uncompressed or with one of :data:`metseg.study.codecs.COMPRESSIONS`; strips or tiles; TIFF or BigTIFF; at
        most 256 MiB decoded.

    Returns
    -------
    ndarray, shape (page, c, y, x), of the type that is stored
        Exactly what the file declares: pixels of fewer bits than a byte or two are unpacked, YCbCr is RGB, and
        white that is stored as zero is the largest number; of a palette it is the stored numbers. Channels that
        ImageJ, OME or tifffile put on pages of their own are gathered into ``c``; transparency is left out.

    Raises
    ------
    UnreadableFileError
        If the file is not such a TIFF, or is damaged.
    TooLargeError
        If it would take too much memory.
    """
    return read_pages(preflight(path))


def read_pages(header: TiffHeader) -> Voxels:
    """Decode the file that ``header`` describes, see :func:`read_tiff`."""
    try:
        pages = np.empty(header.shape, header.dtype)
    except MemoryError as error:
        raise TooLargeError(header.path, "not enough memory") from error
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
            if header.planes == "slices":
                target = out[:, 0]
            else:
                target = out[z] if header.format.channels > 1 else out[z, channel : channel + 1]
            try:
                _read_page(file, header, page, target)
            except MemoryError as error:
                raise TooLargeError(header.path, "not enough memory") from error
            except Exception as error:  # codecs raise what they like; whatever it is, the file is not readable
                reason = f"damaged: page {number + 1} cannot be decoded ({error})"
                raise UnreadableFileError(header.path, reason) from error


def _read_page(file: BinaryIO, header: TiffHeader, page: Page, out: Voxels) -> None:
    """Decode one page into ``out`` (c, y, x), a tile or a band of strips at a time."""
    form = header.format
    channels = 1 if page.planar else form.samples
    high, wide = page.segment
    down, across = -(-form.height // high), -(-form.width // wide)
    band = 1 if page.tiled else max(1, _BAND // (high * wide * channels * form.dtype.itemsize))
    opacity: set[int | float] = set()
    for plane in range(form.samples if page.planar else 1):
        for place in range(0, down * across, band):
            y, x = place // across * high, place % across * wide
            number = min(band, down * across - place)
            rows = [high] if page.tiled else [min(high, form.height - y - high * strip) for strip in range(number)]
            first = plane * down * across + place
            pixels = _segments(file, page, form, header.byteorder, first, [(count, wide, channels) for count in rows])
            if form.photometric == WHITE_IS_ZERO:
                pixels = ~pixels if not form.packed else pixels ^ pixels.dtype.type((1 << form.bits) - 1)
            pixels = np.moveaxis(pixels[: form.height - y, : form.width - x], -1, 0)
            if form.alpha and plane + channels == form.samples:
                opacity.update(np.unique(pixels[-1]).tolist())
                if len(opacity) > 1:
                    raise ValueError("it is partly transparent; save it without the transparency channel")
                pixels = pixels[:-1]
            out[plane : plane + len(pixels), y : y + pixels.shape[1], x : x + pixels.shape[2]] = pixels


def _segments(
    file: BinaryIO, page: Page, form: PageFormat, byteorder: ByteOrder, first: int, shapes: list[tuple[int, int, int]]
) -> Voxels:
    """Decode consecutive strips or tiles, each of which must have its shape (y, x, c); one below the other."""
    last = first + len(shapes)
    parts: list[Voxels] = []
    for offset, count, shape in zip(
        page.offsets[first:last].tolist(), page.counts[first:last].tolist(), shapes, strict=True
    ):
        file.seek(offset)
        data = file.read(count)
        try:
            if page.compression in PICTURES:
                photometric = 1 if page.planar else form.photometric
                parts.append(decode_picture(page.compression, data, shape, form.dtype, photometric, page.jpeg_tables))
            else:
                parts.append(_unpacked(data, page, form, byteorder, shape))
        except ValueError as error:
            part = "tile" if page.tiled else "strip"
            raise ValueError(f"{part} {first + len(parts) + 1} {error}") from error
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _unpacked(data: bytes, page: Page, form: PageFormat, byteorder: ByteOrder, shape: tuple[int, int, int]) -> Voxels:
    """Pixels (y, x, c) of one strip or tile of coded bytes."""
    import imagecodecs

    row = -(-shape[1] * shape[2] * form.bits // 8)
    coded = bytes(imagecodecs.bitorder_decode(data)) if page.reversed_bits else data
    decoded = decode_bytes(page.compression, coded, shape[0] * row)
    if form.packed:
        unpacked: Voxels = imagecodecs.packints_decode(decoded, form.dtype, form.bits, runlen=shape[1] * shape[2])
        return unpacked.reshape(shape)
    stored = form.dtype if page.predictor == 3 else form.dtype.newbyteorder(byteorder)
    pixels: Voxels = np.frombuffer(decoded, stored).reshape(shape)
    if page.predictor == 3:
        pixels = imagecodecs.floatpred_decode(pixels, axis=1)
    pixels = pixels.astype(form.dtype, copy=False)
    return imagecodecs.delta_decode(pixels, axis=1) if page.predictor == 2 else pixels


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
    pages : array of integers or floats, shape (y, x), (z, y, x), (y, x, 3) or (z, y, x, 3)
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

    with write_atomically(path) as temporary, TiffWriter(temporary) as writer:
        for page in data:
            writer.write(
                page,
                photometric="rgb" if channels else "minisblack",
                compression="zlib",
                predictor=data.dtype.kind == "f" or data.dtype.itemsize <= 4,
                metadata=None,
                software=False,
                maxworkers=1,
            )


def pixels_hash(pages: npt.NDArray[Any]) -> str:
    """SHA-256 of pages (z, y, x, c): of their type, their shape and their bytes."""
    data = np.ascontiguousarray(pages, pages.dtype.newbyteorder("<"))
    found = hashlib.sha256(f"{data.dtype.name} {data.shape}".encode())
    found.update(data.tobytes())
    return found.hexdigest()


def _check_writable(path: Path, data: npt.NDArray[Any], channels: bool) -> None:
    if data.dtype.kind not in "uif" or data.dtype.itemsize > 8:
        raise DataError(f"{path}: {data.dtype} cannot be written; convert to integers or float32 first")
    axes = data.ndim - int(channels)
    if axes not in (2, 3) or 0 in data.shape or (channels and data.shape[-1] != 3):
        raise DataError(f"{path}: an array of shape {data.shape} is neither slices nor slices of three channels")
    if data.nbytes > MAX_DECODED:
        raise DataError(f"{path}: {data.nbytes >> 20} MiB are more than one TIFF may hold ({MAX_DECODED >> 20} MiB)")
    if axes == 3 and data.shape[0] > MAX_PAGES:
        raise DataError(f"{path}: {data.shape[0]} slices are more than one TIFF may hold ({MAX_PAGES})")
