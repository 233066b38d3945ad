"""An oblique volume goes through upload, correction, approval and export, and stays where it is; SimpleITK looks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from starlette.testclient import TestClient

from metseg.curation import EditKind, Project, Status
from metseg.curation.export import Layout, export_project, import_export
from metseg.errors import DataError
from metseg.study import Known, Study

pytestmark = pytest.mark.slow

ORDERS = ["NIfTI RAS", "NIfTI PIR"]


def corners(image: sitk.Image) -> npt.NDArray[np.float64]:
    """Where the eight corner voxels are, in any order."""
    ends = [(0, size - 1) for size in image.GetSize()]
    voxels = [(x, y, z) for x in ends[0] for y in ends[1] for z in ends[2]]
    return np.array(sorted(image.TransformIndexToPhysicalPoint(voxel) for voxel in voxels))


def lesion_points(image: sitk.Image) -> npt.NDArray[np.float64]:
    """Where lesion voxels are, in any order."""
    inside = np.argwhere(sitk.GetArrayFromImage(image) > 0)[:, ::-1].tolist()
    return np.array(sorted(image.TransformIndexToPhysicalPoint(voxel) for voxel in inside))


@pytest.mark.parametrize("kind", ORDERS)
def test_an_oblique_case_lies_where_it_was(
    slicer: TestClient,
    project: Project,
    head: Study,
    oblique: Any,
    save_head_as: Callable[..., dict[str, Path]],
    tmp_path: Path,
    kind: str,
) -> None:
    flair = head.voxels[1].astype(np.uint16) * 37
    path = save_head_as(tmp_path / "source", flair, oblique)[kind]
    source = sitk.ReadImage(str(path))
    with path.open("rb") as file:
        answer = slicer.put("/datastore/image", params={"image": "tilted"}, files={"file": ("a.nii.gz", file)})
    assert answer.status_code == 200, answer.text
    drawn = sitk.GetImageFromArray((sitk.GetArrayFromImage(source) > 3000).astype(np.uint8))
    drawn.CopyInformation(source)
    sitk.WriteImage(drawn, str(tmp_path / "label.nii.gz"))
    with (tmp_path / "label.nii.gz").open("rb") as file:
        params = {"image": "tilted", "tag": "final"}
        answer = slicer.put("/datastore/label", params=params, files={"label": ("l.nii.gz", file)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["voxels"] == len(lesion_points(drawn)) > 50
    with project.open_case("tilted") as case:
        case.set_status(Status.APPROVED)
    (tmp_path / "back.nii.gz").write_bytes(slicer.get("/datastore/image", params={"image": "tilted"}).content)
    np.testing.assert_allclose(corners(sitk.ReadImage(str(tmp_path / "back.nii.gz"))), corners(source), atol=1e-3)
    for layout in (Layout.NIFTI, Layout.NNUNET):
        out = tmp_path / f"Dataset001_{layout}"
        export_project(project, out, layout=layout, cases=["tilted"])
        masks = [*out.rglob("*_mask.nii.gz"), *out.rglob("labelsTr/*.nii.gz")]
        sequences = [path for path in out.rglob("*.nii.gz") if path not in masks and "dseg" not in path.name]
        images = [path for path in sequences if "mask" not in path.name]
        assert len(masks) == 1
        assert len(images) == 1
        np.testing.assert_allclose(lesion_points(sitk.ReadImage(str(masks[0]))), lesion_points(drawn), atol=1e-3)
        image = sitk.ReadImage(str(images[0]))
        np.testing.assert_allclose(corners(image), corners(source), atol=1e-3)
        again = Project.create(tmp_path / f"again_{layout}")
        import_export(again, out)
        before, after = (one.read_case("tilted").description.geometry for one in (project, again))
        assert after.is_placed
        np.testing.assert_allclose(after.affine, before.affine, atol=1e-3)
    sidecar = next((tmp_path / "Dataset001_nifti").rglob("*_mask.json"))
    assert json.loads(sidecar.read_text())["Orientation"] == "LPS"


@pytest.mark.parametrize("kind", ["NIfTI RAS", "NIfTI PIR", "NRRD", "MetaImage"])
def test_an_outline_of_an_upload_is_that_of_the_voxels_at_its_place(
    slicer: TestClient, weights: Path, one_head: dict[str, Path], flair: Any, tmp_path: Path, kind: str
) -> None:
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter
    from metseg.study import Sequence

    with Segmenter(load_checkpoint(weights / "small")) as segmenter:
        expected = segmenter.segment(Study("head", flair[None], (Sequence.UNKNOWN,))).mask
    with one_head[kind].open("rb") as file:
        answer = slicer.put("/datastore/image", params={"image": "any"}, files={"file": (one_head[kind].name, file)})
    assert answer.status_code == 200, answer.text
    answer = slicer.post("/infer/small?image=any&output=image", files={"params": (None, "{}")})
    assert answer.status_code == 200, answer.text
    (tmp_path / "mask.nii.gz").write_bytes(answer.content)
    mask, source = (sitk.ReadImage(str(path)) for path in (tmp_path / "mask.nii.gz", one_head["NIfTI LPS"]))
    np.testing.assert_allclose(corners(mask), corners(source), atol=1e-3)
    grid = sitk.Resample(mask, source, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(grid), expected)


def as_earlier(project: Project, name: str, affine: npt.NDArray[np.float64]) -> Path:
    """Write a case's files as version 1 wrote them; the path of what lay beside the image."""
    folder = next(path for path in (project.path / "cases").iterdir() if name in path.name)
    content = json.loads((folder / "case.json").read_text())
    geometry, _ = content.pop("geometry"), content.pop("placement_lost")
    steps = np.linalg.norm(np.array(geometry["rows"])[:3, :3], axis=0)
    content |= {"version": 1, "spacing": steps[::-1].tolist()}
    (folder / "case.json").write_text(json.dumps(content))
    image = project.path / content["images"][0]["path"]
    beside = image.with_suffix(".grid.json")
    beside.write_text(json.dumps({"format": "metseg-grid", "version": 1, "affine": affine.tolist()}))
    return beside


def test_projects_of_earlier_versions_know_where_their_uploads_lie(
    slicer: TestClient,
    project: Project,
    head: Study,
    oblique: Any,
    save_head_as: Callable[..., dict[str, Path]],
    tmp_path: Path,
) -> None:
    path = save_head_as(tmp_path / "source", head.voxels[1].astype(np.uint16), oblique)["NIfTI RAS"]
    with path.open("rb") as file:
        slicer.put("/datastore/image", params={"image": "tilted"}, files={"file": ("a.nii.gz", file)})
    now = project.read_case("tilted").description
    beside = as_earlier(project, "tilted", now.geometry.drawn)
    earlier = project.read_case("tilted").description
    assert earlier.geometry.known is Known.PLACEMENT
    assert earlier == now
    with project.open_case("tilted") as case:
        labels = case.labels.copy()
        labels[2:4, 20:30, 20:30] = 1
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)
    beside.unlink()
    assert project.read_case("tilted").description.placement_lost
    for layout in (Layout.NIFTI, Layout.NNUNET):
        with pytest.raises(DataError, match="was lost"):
            export_project(project, tmp_path / layout, layout=layout, cases=["tilted"])
    export_project(project, tmp_path / "pairs", layout=Layout.PAIRS, cases=["tilted"])
    shutil.rmtree(project.path / "uploads")
