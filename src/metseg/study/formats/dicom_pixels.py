"""Pixels of DICOM files: pydicom's decoders, and imagecodecs' for the transfer syntaxes that those lack."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError, UnsupportedFileError

#: Transfer syntaxes (DICOM PS3.6, table A-1) that imagecodecs decodes, and its function for each.
_CODECS = {
    "1.2.840.10008.1.2.4.57": "ljpeg_decode",
    "1.2.840.10008.1.2.4.70": "ljpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "htj2k_decode",
    "1.2.840.10008.1.2.4.202": "htj2k_decode",
    "1.2.840.10008.1.2.4.203": "htj2k_decode",
}


def decoded(path: Path, frames: Seq[int]) -> list[npt.NDArray[Any]]:
    """Stored values (y, x) of some frames of a file.

    Raises
    ------
    UnreadableFileError
        If there are fewer frames, or one has another size than the header says.
    UnsupportedFileError
        If it is compressed in a way that is not read.
    """
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    data = pydicom.dcmread(path)
    syntax = data.file_meta.TransferSyntaxUID
    if str(syntax) in _CODECS:
        return _by_imagecodecs(path, data, str(syntax), frames)
    try:
        available = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        available = False
    if not available:
        raise UnsupportedFileError(path, f"is compressed as {syntax.name}, which is not read; save it uncompressed")
    pixels = np.asarray(pixel_array(data, raw=True))
    if pixels.ndim == 2:
        pixels = pixels[None]
    if max(frames) >= len(pixels):
        raise UnreadableFileError(path, f"holds {len(pixels)} frames, fewer than it declares")
    return [pixels[index] for index in frames]


def _by_imagecodecs(path: Path, data: Any, syntax: str, frames: Seq[int]) -> list[npt.NDArray[Any]]:
    import imagecodecs
    from pydicom.encaps import generate_frames

    count = int(data.get("NumberOfFrames", 1) or 1)
    encoded = list(generate_frames(data.PixelData, number_of_frames=count))
    decode = getattr(imagecodecs, _CODECS[syntax])
    bits, signed = int(data.BitsStored), bool(data.PixelRepresentation)
    planes = []
    for index in frames:
        plane = np.asarray(decode(encoded[index]))
        if plane.shape != (data.Rows, data.Columns):
            raise UnreadableFileError(path, f"frame {index + 1} is {plane.shape}, not as its header says")
        planes.append(_as_signed(plane, bits) if signed and plane.dtype.kind == "u" else plane)
    return planes


def _as_signed(plane: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Two's complement of ``bits`` bits, which the codec took for unsigned."""
    unused = 8 * plane.dtype.itemsize - bits
    signed: npt.NDArray[Any] = (plane << unused).view(plane.dtype.str.replace("u", "i")) >> unused
    return signed
