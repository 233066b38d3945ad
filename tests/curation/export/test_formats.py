"""One head, however it is stored, goes through a project and comes out at its place; SimpleITK looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from metseg.curation import EditKind, Project, Status
from metseg.curation.export import Layout, export_project
from metseg.study import read_study

KINDS = ["NIfTI LPS", "NIfTI PIR", "NIfTI SAL", "NIfTI float32", "NIfTI-2", "NRRD", "MetaImage", "DICOM"]


def points(image: sitk.Image, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Where voxels are, in any order."""
    places = [image.TransformIndexToPhysicalPoint(voxel) for voxel in np.argwhere(inside)[:, ::-1].tolist()]
    return np.array(sorted(places))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_comes_out_where_it_was_drawn(
    one_head: dict[str, Path], flair: npt.NDArray[np.uint16], tmp_path: Path, kind: str
) -> None:
    study = read_study(one_head[kind])
    made = Project.create(tmp_path / "project")
    name = made.add(study).name
    drawn = np.zeros(study.shape, np.uint16)
    drawn[4, 20:30, 18:40] = 1
    with made.open_case(name) as case:
        case.commit(drawn, EditKind.POLYGON)
        case.set_status(Status.APPROVED)
    export_project(made, tmp_path / "out", layout=Layout.NIFTI, cases=[name])
    [mask] = (tmp_path / "out").rglob("*_mask.nii.gz")
    [image] = (
        path for path in (tmp_path / "out").rglob("*.nii.gz") if "label" not in path.name and "seg" not in path.name
    )
    written, voxels = sitk.ReadImage(str(mask)), sitk.ReadImage(str(image))
    lesion = sitk.GetArrayFromImage(written) > 0
    source: Any = sitk.ReadImage(str(one_head["NIfTI LPS"]))
    np.testing.assert_allclose(points(written, lesion), points(source, drawn > 0), atol=1e-3)
    assert np.array_equal(sitk.GetArrayFromImage(voxels), flair)
