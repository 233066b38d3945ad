"""TIFF slices and stacks, see :mod:`metseg.study.tiff`."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import TooLargeError
from metseg.study.formats.reader import Found, Header, one_by_one
from metseg.study.geometry import Geometry
from metseg.study.model import Problem, ProblemKind
from metseg.study.preflight import TiffHeader, preflight
from metseg.study.stored_values import show_palette
from metseg.study.tiff import read_into

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class TiffReader:
    """Reads TIFF."""

    name = "TIFF"
    suffixes = (".tif", ".tiff")
    about = "one slice or a stack a file, grey, RGB or a page a channel; spacing from ImageJ or <name>.json"

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as a TIFF or BigTIFF does."""
        return head[:4] in _SIGNATURES

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Each file is an image."""
        return one_by_one(files, lambda path: tiff_image(preflight(path, channels)))

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x)."""
        tiff: TiffHeader = header.details
        try:
            voxels = np.empty(header.shape, header.dtype)
        except MemoryError as error:
            raise TooLargeError(header.path, "not enough memory") from error
        read_into(tiff, voxels.swapaxes(0, 1))
        show_palette(tiff, voxels)
        return voxels


def tiff_image(tiff: TiffHeader) -> Header:
    """What the headers of a TIFF declare, as of any format."""
    slices, channels, y, x = tiff.shape
    return Header(
        TiffReader.name,
        (tiff.path,),
        (channels, slices, y, x),
        tiff.dtype,
        Geometry.spaced(tiff.spacing),
        tuple((0, page) for page in range(slices)),
        problems=tuple(Problem(tiff.path, remark, kind=ProblemKind.FORMAT) for remark in tiff.remarks),
        details=tiff,
    )
