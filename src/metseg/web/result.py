"""What one network said of one study, complete enough to be looked at without the server."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import tifffile

from metseg.http_documents import MaskDocument
from metseg.lesions import label_lesions
from metseg.study.geometry import Geometry, Spacing
from metseg.web.pictures import Window, usual_window
from metseg.web.planes import Region, drawn_steps, head_region

Voxels = npt.NDArray[np.uint8 | np.uint16]
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Downloads:
    """Files as the server made them; ``nifti`` and ``masks`` are ``None`` where it cannot or need not."""

    mask: bytes
    document: bytes
    nifti: bytes | None
    masks: bytes | None


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """One network's answer.

    Attributes
    ----------
    answer : MaskDocument
        Facts, lesions and notices.
    voxels : ndarray, shape (c, z, y, x), uint8 or uint16
        What was sent.
    enhanced : ndarray of uint8, shape (c or 1, z, y, x)
        The same after the model's window and CLAHE.
    mask : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    """

    name: str
    answer: MaskDocument
    voxels: Voxels
    enhanced: Voxels
    mask: Mask
    files: Downloads

    @property
    def model(self) -> str:
        """Name of the network."""
        return self.answer.model.name

    @property
    def target(self) -> str:
        """What it outlined."""
        return self.answer.model.target

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.answer.image.shape

    @cached_property
    def region(self) -> Region:
        """What pictures show."""
        return head_region(self.voxels, self.mask)

    @property
    def geometry(self) -> Geometry:
        """What the server said of it."""
        return Geometry.spaced(self.answer.image.spacing)

    @property
    def steps(self) -> Spacing:
        """Distances that pictures are drawn with."""
        return drawn_steps(self.geometry, self.shape)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The usual window of each channel."""
        return tuple(usual_window(channel) for channel in self.voxels)

    @cached_property
    def labels(self) -> npt.NDArray[np.int32]:
        """Numbers of lesions as in the table, 0 outside, shape (z, y, x)."""
        return np.asarray(label_lesions(self.mask), np.int32)


def read_pages(content: bytes, shape: Sequence[int]) -> Voxels:
    """A TIFF of the server as (c, z, y, x).

    Parameters
    ----------
    content : bytes
        One page for each slice, of one channel or three.
    shape : sequence of int
        Slices, rows, columns.

    Raises
    ------
    ValueError
        If it is another image.
    """
    pages = tifffile.imread(io.BytesIO(content))
    return np.ascontiguousarray(pages.reshape(*shape, -1).transpose(3, 0, 1, 2))
