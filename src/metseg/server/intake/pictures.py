"""One slice as PNG or JPEG."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.server.intake.kinds import Kind
from metseg.server.intake.limits import Limits, Refusal, Why
from metseg.study import TRIPLET, Sequence, Study

_CHANNELS = {"1": 1, "L": 1, "LA": 2, "I;16": 1, "I": 1, "P": 3, "RGB": 3, "RGBA": 4, "PA": 4}


def read_picture(path: Path, kind: Kind, limits: Limits) -> Study:
    """A study of one slice: RGB is pre-contrast, FLAIR, post-contrast; grey is a channel that is not named.

    Parameters
    ----------
    path : Path
        The file.
    kind : Kind
        PNG or JPEG.
    limits : Limits
        What its header may declare.

    Raises
    ------
    Refusal
        If it declares too much, is damaged, partly transparent, or of colours that are not grey or RGB.
    """
    rows, columns = _declared(path, kind, limits)
    pixels = _decoded(path, kind)
    if pixels.shape[:2] != (rows, columns):
        raise Refusal(Why.UNREADABLE, "the image has another size than its header declares")
    channels = _without_alpha(pixels if pixels.ndim == 3 else pixels[..., None])
    sequences = TRIPLET if channels.shape[-1] == 3 else (Sequence.UNKNOWN,)
    voxels = np.ascontiguousarray(channels.transpose(2, 0, 1)[:, None])
    return Study("upload", voxels, sequences)


def _declared(path: Path, kind: Kind, limits: Limits) -> tuple[int, int]:
    """Rows and columns in the header, which is checked against ``limits``; no pixel is decoded."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path, formats=[kind.upper()]) as header:
            (columns, rows), mode = header.size, header.mode
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, struct.error) as error:
        raise Refusal(Why.UNREADABLE, f"the {kind.upper()} header is damaged: {error}") from None
    if mode not in _CHANNELS:
        raise Refusal(Why.UNSUPPORTED, f"{mode} colours; only grey and RGB are read")
    limits.check(1, rows, columns, _CHANNELS[mode])
    return rows, columns


def _decoded(path: Path, kind: Kind) -> npt.NDArray[Any]:
    """Pixels (y, x) or (y, x, c), uint8 or uint16; all of them, or none."""
    import imagecodecs
    from PIL import Image

    try:
        if kind is Kind.PNG:
            return np.asarray(imagecodecs.png_decode(path.read_bytes()))
        with Image.open(path, formats=[kind.upper()]) as image:
            return np.asarray(image)
    except (RuntimeError, ValueError, OSError, SyntaxError, EOFError, struct.error) as error:
        raise Refusal(Why.UNREADABLE, f"the pixels cannot be decoded: {error}") from None


def _without_alpha(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pixels (y, x, 1 or 3) of (y, x, 1 to 4), if they are opaque."""
    channels = pixels.shape[-1]
    if channels in (2, 4):
        if (pixels[..., -1] != np.iinfo(pixels.dtype).max).any():
            raise Refusal(Why.UNSUPPORTED, "the image is partly transparent; save it without transparency")
        return pixels[..., :-1]
    return pixels
