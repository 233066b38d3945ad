"""NIfTI volumes of cases: geometry as far as it is known, and never more.

Where only the spacing is known (of TIFF slices), slices are taken as axial in radiological convention, the lowest first
(x runs to the patient's left, y to the back); sidecars say that this is assumed. Where the spacing is unknown, the
header says so: both transform codes and the units are 0 (NIfTI-1 header, fields ``qform_code``, ``sform_code``,
``xyzt_units``; pixdim must then hold some number, and holds 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.curation.export.manifest import ExportedCase
from metseg.errors import DataError
from metseg.study import Geometry, Study, read_study, reorder, write_errors, write_tiff
from metseg.study.formats import header_of, mask_volume, read_voxels
from metseg.study.formats.writing import write_nifti


def check_placement(cases: Sequence[ExportedCase]) -> None:
    """Refuse cases of which it was once known where they lie in the patient, and is no more.

    Raises
    ------
    DataError
        If there is such a case.
    """
    if lost := [case.name for case in cases if case.placement_lost]:
        names = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        raise DataError(
            f"where {names} lies in the patient was lost (uploads/*.grid.json is gone or damaged); a volume would put "
            "it elsewhere. Put that file back, add the image again, or export as pairs"
        )


def write_volume(path: Path, voxels: npt.NDArray[np.generic], geometry: Geometry) -> None:
    """Write voxels, shape (z, y, x), as ``.nii.gz``; the same voxels give the same bytes."""
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, mask_volume(voxels, geometry))


def unknown_spacing_remark(names: list[str], reader: str) -> list[str]:
    """One line if the spacing of some cases is unknown."""
    if not names:
        return []
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"The spacing of {listed} is unknown; the files say so, but {reader} will take a voxel for 1 x 1 x 1 mm."]


def study_from_volumes(channels: list[Path], case: ExportedCase, folder: Path) -> Study:
    """Make a TIFF of volumes, one for each channel, in ``folder``, and read it as a study.

    Raises
    ------
    DataError
        If the volumes do not fit together, or cannot be kept as TIFF.
    UnreadableFileError
        If one is no such volume.
    """
    headers = [header_of(path) for path in channels]
    volumes = [
        reorder(read_voxels(header)[0], header.geometry, case.geometry, case.shape)
        if header.geometry.is_placed
        else read_voxels(header)[0]
        for header in headers
    ]
    if {volume.shape for volume in volumes} != {case.shape}:
        raise DataError(f"{case.name}: the volumes of its channels are not of the size that the manifest states")
    pages = volumes[0] if len(volumes) == 1 else np.stack(volumes, axis=-1)
    path = folder / f"{case.stem}.tif"
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_tiff(path, pages, channels=len(volumes) > 1, spacing=case.spacing)
    return replace(read_study(path, case.sequences), name=case.name, geometry=case.geometry)
