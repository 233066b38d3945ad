"""Volumes on their way to a server and back: NIfTI-2, whose header keeps spacings as exact as a study does."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from metseg.study import Study

#: Quick; MR images become about half as large.
_COMPRESSION = 1
#: Types that are not sent, as those that hold the same numbers.
_WIDER = {np.dtype(np.float16): np.float32, np.dtype(np.longdouble): np.float64}


def packed(study: Study) -> bytes:
    """Voxels of a study and their spacing as compressed NIfTI; no name, no date, no place in the scanner.

    Without a place the server takes the voxels in the order in which they are, which is that of the study, whatever its
    geometry; no network looks at the place.
    """
    voxels = study.voxels.astype(_WIDER.get(study.voxels.dtype, study.voxels.dtype.newbyteorder("=")), copy=False)
    data = voxels.transpose(3, 2, 1, 0)
    image = _nibabel().Nifti2Image(data if len(voxels) > 1 else data[..., 0], None, dtype=voxels.dtype)
    spacing = study.geometry.spacing
    if spacing is not None:
        image.header.set_zooms((*spacing[::-1], *(1.0,) * (image.ndim - 3)))
    image.header.set_xyzt_units("unknown" if spacing is None else "mm")
    return gzip.compress(image.to_bytes(), _COMPRESSION, mtime=0)


def unpacked(content: bytes) -> npt.NDArray[Any]:
    """Voxels (z, y, x) of a NIfTI that a server made of such a study.

    Raises
    ------
    ValueError
        If it is none.
    """
    nibabel = _nibabel()
    try:
        return np.ascontiguousarray(np.asanyarray(nibabel.Nifti2Image.from_bytes(content).dataobj).transpose(2, 1, 0))
    except (nibabel.spatialimages.HeaderDataError, nibabel.filebasedimages.ImageFileError, OSError) as error:
        raise ValueError(f"no NIfTI: {error}") from error


def _nibabel() -> Any:
    """The module, most of which has no types."""
    import nibabel

    return nibabel
