"""Mask files of every format, as one number for each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.formats import Header, header_of, is_outlines, is_tiff, outlines_header, read_voxels, tiff_image
from metseg.study.geometry import Geometry, Shape
from metseg.study.masks import MaskPages, is_mask
from metseg.study.pageformat import WHITE_IS_ZERO
from metseg.study.preflight import TiffHeader, preflight
from metseg.study.tiff import read_pages

#: Channels of a grey JPEG differ by less than this share of the range.
_GREY = 1 / 16


def mask_header(path: Path, slices: int | None = None, image: tuple[Geometry, Shape] | None = None) -> Header:
    """Look at the header of a mask file of any format.

    Parameters
    ----------
    slices : int, optional
        How many slices its image has: colour planes of a TIFF that are so many are slices.
    image : (Geometry, (z, y, x)), optional
        Where its image is: DICOM outlines, which have no grid of their own or leave slices out, are read on that.
    """
    if not is_tiff(path):
        return header_of(path) if image is None or not is_outlines(path) else outlines_header(path, *image)
    tiff = preflight(path)
    if tiff.planes is not None:
        tiff = preflight(path, 1 if slices == tiff.format.samples else None)
    return tiff_image(tiff)


def read_mask(header: Header) -> MaskPages:
    """Read a mask file as one number for each pixel.

    Raises
    ------
    UnreadableFileError
        If it cannot be read, or its colours are those of a picture.
    """
    tiff = header.details if isinstance(header.details, TiffHeader) else None
    remarks = [] if tiff is None else [*_own_remarks(tiff)]
    pixels = read_voxels(header).swapaxes(0, 1) if tiff is None else _pixels(tiff)
    if tiff is not None and tiff.palette is not None:
        pixels = _through_palette(tiff.palette, pixels)
    values = _one_channel(header.path, pixels, remarks)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        remarks.append("pixels without a finite value were taken for background")
        values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    bits = 8 * header.dtype.itemsize if tiff is None else tiff.format.bits
    inverted = tiff is not None and tiff.format.photometric == WHITE_IS_ZERO
    return MaskPages(header.path, values, bits, inverted, tuple(remarks))


def _own_remarks(header: TiffHeader) -> list[str]:
    return [one for one in header.remarks if not one.startswith(("white", "its transparency", "colours come"))]


def _pixels(header: TiffHeader) -> npt.NDArray[Any]:
    """Pixels (z, c, y, x); what is partly transparent is laid on black."""
    try:
        return read_pages(header)
    except UnreadableFileError:
        if not header.format.alpha:
            raise
    out = read_pages(preflight(header.path, header.format.samples))
    opaque = float(out[:, -1].max()) or 1.0
    return np.rint(out[:, :-1] * (out[:, -1:] / opaque)).astype(out.dtype)


def _through_palette(palette: npt.NDArray[np.uint16], stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Grey values or colours, (z, 1 or 3, y, x); the stored numbers where no colour of them is black."""
    used = np.unique(stored)
    colours = palette[used]
    if (colours == colours[:, :1]).all():
        return np.asarray(palette[:, 0][stored])
    return np.moveaxis(palette[stored[:, 0]], -1, 1) if (colours == 0).all(axis=1).any() else stored


def _one_channel(path: Path, pixels: npt.NDArray[Any], remarks: list[str]) -> npt.NDArray[Any]:
    if pixels.shape[1] == 1:
        return pixels[:, 0]
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    top = float(high.max())
    if float((high.astype(np.float32) - low).max()) <= _GREY * top:
        return np.asarray(pixels[:, 1])
    if not (high == 0).any() or not is_mask(high):
        raise UnreadableFileError(path, f"a mask has one channel, this file has {pixels.shape[1]} that differ")
    remarks.append("the mask is coloured: every colour other than black was taken for lesion")
    return np.asarray(high)
