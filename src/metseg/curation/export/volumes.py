"""NIfTI-1 volumes: geometry as far as it is known, and never more.

A TIFF does not say how its slices lie in the head. Where the spacing is known, slices are taken as axial in
radiological convention, the lowest first (x runs to the patient's left, y to the back); sidecars say that this is
assumed. Where the spacing is unknown, the header says so: both transform codes and the units are 0 (NIfTI-1 header,
fields ``qform_code``, ``sform_code``, ``xyzt_units``; pixdim must then hold some number, and holds 1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.documents import unwritable
from metseg.errors import DataError, MissingExtraError, UnreadableFileError
from metseg.study import Study, read_study, write_atomically, write_tiff

Spacing = tuple[float, float, float]

ORIENTATION = "not stated by the source; slices taken as axial, radiological, the lowest first"
_ALIGNED = 2


def require_nibabel() -> Any:
    """The module nibabel, most of which has no types; raises MissingExtraError if it is not installed."""
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError("nibabel", "export") from error
    return nibabel


def write_volume(path: Path, voxels: npt.NDArray[np.generic], spacing: Spacing | None) -> None:
    """Write voxels, shape (z, y, x), as ``.nii.gz``; the same voxels give the same bytes.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    nibabel = require_nibabel()
    data = voxels.transpose(2, 1, 0)
    affine = None if spacing is None else np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    image = nibabel.Nifti1Image(data, affine, dtype=data.dtype)
    if spacing is not None:
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, code=_ALIGNED)
        image.set_sform(affine, code=_ALIGNED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary:
            nibabel.save(image, temporary)
    except OSError as error:
        raise unwritable(path, error) from error


def read_volume(path: Path) -> npt.NDArray[Any]:
    """Voxels, shape (z, y, x), of a volume that :func:`write_volume` wrote.

    Raises
    ------
    UnreadableFileError
        If it is no such volume.
    """
    nibabel = require_nibabel()
    try:
        data = np.asanyarray(nibabel.load(path).dataobj)
    except (OSError, ValueError, EOFError, nibabel.filebasedimages.ImageFileError) as error:
        raise UnreadableFileError(path, f"not a NIfTI volume: {error}") from error
    if data.ndim != 3:
        raise UnreadableFileError(path, f"has {data.ndim} axes instead of three")
    return np.ascontiguousarray(data.transpose(2, 1, 0))


def unknown_spacing_remark(names: list[str], reader: str) -> list[str]:
    """One line if the spacing of some cases is unknown."""
    if not names:
        return []
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"The spacing of {listed} is unknown; the files say so, but {reader} will take a voxel for 1 x 1 x 1 mm."]


def study_from_volumes(channels: list[Path], name: str, spacing: Spacing | None, folder: Path) -> Study:
    """Make a TIFF of volumes, one for each channel, in ``folder``, and read it as a study.

    Raises
    ------
    DataError
        If the volumes do not fit together, or cannot be kept as TIFF.
    """
    volumes = [read_volume(path) for path in channels]
    if len({volume.shape for volume in volumes}) != 1:
        raise DataError(f"{name}: the volumes of its channels are not of one size")
    pages = volumes[0] if len(volumes) == 1 else np.stack(volumes, axis=-1)
    path = folder / f"{name}.tif"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    write_tiff(path, pages, channels=len(volumes) > 1, spacing=spacing)
    return read_study(path)
