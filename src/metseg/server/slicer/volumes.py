"""Volumes as they go to a client, and masks as they come back."""

from __future__ import annotations

import gzip

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.server.problems import ProblemError
from metseg.study import Geometry
from metseg.study.formats import mask_volume
from metseg.study.geometry import transfer

UNKNOWN_SPACING = "voxel spacing unknown, written as 1 x 1 x 1 mm"

_COMPRESSION = 3


def case_volume(voxels: npt.NDArray[np.generic], geometry: Geometry) -> bytes:
    """A ``.nii.gz`` of voxels (z, y, x) of a case, which always says a place: clients need one to send a mask back.

    A client is told of the place of a case of which only the spacing is known, or not even that, as of axial,
    radiological slices, the lowest first. The same voxels give the same bytes.
    """
    return packed(mask_volume(voxels, Geometry.placed(geometry.drawn), known=geometry.known))


def mask_of_case(
    mask: npt.NDArray[np.bool_], drawn_on: Geometry, case: Geometry, shape: tuple[int, int, int]
) -> npt.NDArray[np.bool_]:
    """A mask that was drawn on another grid of the same voxels, such as a cut-out, on that of a case.

    422 if the voxels of the two grids do not coincide, or something is drawn outside of the case.
    """
    try:
        return transfer(mask, drawn_on, Geometry.placed(case.drawn), shape)
    except DataError as error:
        raise ProblemError(422, f"the label {error}; save it with the image's own geometry") from None


def packed(volume: bytes) -> bytes:
    """A NIfTI as ``.nii.gz``, without the time."""
    return gzip.compress(volume, _COMPRESSION, mtime=0)
