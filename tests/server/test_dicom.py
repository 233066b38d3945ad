"""A DICOM series is answered as SEG, RTSTRUCT and Structured Report with the content that `metseg predict` writes."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import httpx
import numpy as np
import pydicom
import pytest
from starlette.testclient import TestClient

from metseg.study import read_study
from metseg.study.formats import header_of, read_voxels

pytestmark = pytest.mark.slow

DICOM = "application/dicom"
#: At which the untrained network gives a few lesions.
THRESHOLD = 0.4939
#: Made anew for every object.
OWN = {
    "SOPInstanceUID", "MediaStorageSOPInstanceUID", "SeriesInstanceUID", "TrackingUID", "DimensionOrganizationUID",
    "ContentDate", "ContentTime", "InstanceCreationDate", "InstanceCreationTime", "StructureSetDate",
    "StructureSetTime", "ContributionDateTime",
}  # fmt: skip


@pytest.fixture(scope="module")
def series(save_head_as: Callable[..., dict[str, Path]], flair: Any, oblique: Any, tmp_path_factory: Any) -> Path:
    """A tilted series whose files lie in a folder of their own."""
    return save_head_as(tmp_path_factory.mktemp("series"), flair, oblique)["DICOM"]


@pytest.fixture
def ask(server: Any, zipped: Callable[[Path], bytes]) -> Callable[..., httpx.Response]:
    """Send a file or folder to a server process."""

    def send(source: Path, accept: str = DICOM, **query: object) -> httpx.Response:
        content = zipped(source) if source.is_dir() else source.read_bytes()
        parameters: dict[str, Any] = {"threshold": THRESHOLD, **query}
        return httpx.post(
            f"{server.url}/predict",
            files={"file": content},
            headers={"accept": accept},
            params=parameters,
            timeout=300,
        )

    return send


def received(answer: httpx.Response, path: Path) -> Path:
    assert answer.status_code == 200, answer.text
    path.write_bytes(answer.content)
    return path


@pytest.fixture
def predict(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the command ``metseg predict``."""
    from metseg.cli import main

    def run(source: Path, output: Path, *more: str) -> None:
        model = ["--model", str(weights / "small" / "model.safetensors")]
        arguments = ["metseg", "predict", "--input", str(source), "--output", str(output), *model, *more]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as leaving:
            main()
        assert leaving.value.code in (0, None)

    return run


def content_of(path: Path) -> dict[str, Any]:
    """What a file holds, less what is made anew for every object."""
    data = pydicom.dcmread(path)

    def forget(part: pydicom.Dataset, element: pydicom.DataElement) -> None:
        if element.keyword in OWN:
            del part[element.tag]

    data.walk(forget)
    content: dict[str, Any] = data.to_json_dict()
    return content


@pytest.mark.parametrize(
    ("query", "option", "written"),
    [
        ({}, ["--format", "dicom-seg"], "head_mask.dcm"),
        ({"view": "probability"}, ["--format", "dicom-seg", "--probabilities"], "head_prob.dcm"),
        ({"view": "contours"}, ["--format", "rtstruct"], "head_mask.rtstruct.dcm"),
    ],
)
def test_an_object_has_the_content_that_the_command_writes(
    ask: Any, predict: Any, series: Path, tmp_path: Path, query: dict[str, str], option: list[str], written: str
) -> None:
    answer = ask(series, **query)
    ours = received(answer, tmp_path / "answer.dcm")
    assert answer.headers["content-type"] == DICOM
    predict(series, tmp_path / "out", "--threshold", str(THRESHOLD), *option)
    there, here = content_of(tmp_path / "out" / written), content_of(ours)
    assert len(there) > 20
    assert here == there


def test_highdicom_reads_the_mask_that_nifti_holds(ask: Any, series: Path, tmp_path: Path) -> None:
    data: Any = highdicom.seg.segread(received(ask(series), tmp_path / "mask.dcm"))
    first = pydicom.dcmread(next(series.iterdir()))
    assert (data.StudyInstanceUID, data.PatientID) == (first.StudyInstanceUID, "P1")
    assert data.number_of_segments > 1
    matrix = data.get_volume_geometry().affine
    volume = np.asarray(data.get_volume(combine_segments=True, skip_overlap_checks=True).array) > 0
    theirs = {tuple(np.round(matrix[:3, :3] @ place + matrix[:3, 3], 2)) for place in np.argwhere(volume)}
    nifti = header_of(received(ask(series, "application/gzip"), tmp_path / "mask.nii.gz"))
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ nifti.geometry.drawn
    inside = np.argwhere(read_voxels(nifti)[0])[:, ::-1]
    assert len(inside) == len(theirs)
    distances = [
        np.linalg.norm(np.array(sorted(theirs)) - (to_lps[:3, :3] @ place + to_lps[:3, 3]), axis=1).min()
        for place in inside[:: len(inside) // 50]
    ]
    assert max(distances) < 0.05


def test_the_answer_beside_the_series_is_its_mask(ask: Any, series: Path, tmp_path: Path) -> None:
    folder = tmp_path / "series"
    shutil.copytree(series, folder)
    received(ask(series), folder / "mask.dcm")
    segmented = read_study(folder).mask
    (folder / "mask.dcm").unlink()
    received(ask(series, view="contours"), folder / "contours.dcm")
    contoured = read_study(folder).mask
    assert segmented is not None
    assert contoured is not None
    assert segmented.any()
    assert np.array_equal(segmented, contoured)


def test_the_report_refers_to_the_segmentation_it_comes_with(ask: Any, series: Path, tmp_path: Path) -> None:
    answer = ask(series, "application/zip", view="report")
    with zipfile.ZipFile(io.BytesIO(received(answer, tmp_path / "report.zip").read_bytes())) as archive:
        archive.extractall(tmp_path)
    outlines = pydicom.dcmread(tmp_path / "segmentation.dcm")
    report: Any = highdicom.sr.srread(tmp_path / "report.dcm")
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_uid for group in groups] == [one.TrackingUID for one in outlines.SegmentSequence]
    assert {item.referenced_sop_instance_uid for item in (group.referenced_segment for group in groups)} == {
        outlines.SOPInstanceUID
    }
    lesions = ask(series, "application/json").json()["lesions"]
    assert len(groups) == len(lesions) > 1


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("query", [{}, {"view": "probability"}, {"view": "contours"}, {"threshold": "1"}])
def test_the_standards_checker_has_no_error(ask: Any, series: Path, tmp_path: Path, query: dict[str, str]) -> None:
    path = received(ask(series, **query), tmp_path / "answer.dcm")
    done = subprocess.run(["dciodvfy", str(path)], check=False, capture_output=True, text=True)
    assert "Error" not in done.stderr


def test_a_job_is_answered_as_dicom_after_its_upload_is_gone(
    client: TestClient, zipped: Callable[[Path], bytes], series: Path, tmp_path: Path
) -> None:
    begun = client.post("/jobs", files={"file": zipped(series)}).json()
    while client.get(f"/jobs/{begun['id']}").json()["state"] in ("queued", "running"):
        pass
    instances = set()
    for _ in range(2):
        answer = client.get(f"/jobs/{begun['id']}/result", headers={"accept": DICOM})
        assert answer.status_code == 200, answer.text
        (tmp_path / "mask.dcm").write_bytes(answer.content)
        instances.add(pydicom.dcmread(tmp_path / "mask.dcm").SOPInstanceUID)
    assert len(instances) == 2


@pytest.mark.parametrize("kind", ["NIfTI RAS", "TIFF slices", "NRRD"])
@pytest.mark.parametrize("view", ["mask", "contours", "report"])
def test_what_is_no_series_is_refused_before_the_network_runs(
    client: TestClient, zipped: Callable[[Path], bytes], one_head: dict[str, Path], kind: str, view: str
) -> None:
    source = one_head[kind]
    content = zipped(source) if source.is_dir() else source.read_bytes()
    accept = "application/zip" if view == "report" else DICOM
    answer = client.post("/predict", files={"file": content}, headers={"accept": accept}, params={"view": view})
    assert answer.status_code == 406
    assert answer.json()["detail"] == (
        "cannot be answered as DICOM: the upload: is no DICOM series, which DICOM outlines refer to; write NIfTI "
        "(Accept: application/gzip)"
    )


def test_a_series_with_missing_slices_is_refused(
    client: TestClient, zipped: Callable[[Path], bytes], series: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "series"
    shutil.copytree(series, folder)
    by_height = sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    by_height[5].unlink()
    answer = client.post("/predict", files={"file": zipped(folder)}, headers={"accept": DICOM})
    assert answer.status_code == 406
    assert "lacks some" in answer.json()["detail"]
    assert client.post("/predict", files={"file": zipped(folder)}).status_code == 200


def test_damaged_headers_are_no_fault_of_the_server(
    client: TestClient, zipped: Callable[[Path], bytes], series: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    for path in series.iterdir():
        data = pydicom.dcmread(path)
        del data.StudyInstanceUID
        data.save_as(folder / path.name)
    assert client.post("/predict", files={"file": zipped(folder)}).status_code == 200
    answer = client.post("/predict", files={"file": zipped(folder)}, headers={"accept": DICOM})
    assert answer.status_code == 422
    assert "headers are damaged" in answer.json()["detail"]
