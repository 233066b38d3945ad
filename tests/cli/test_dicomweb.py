"""``metseg predict --dicomweb``: from a real PACS (Orthanc) and back to it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from metseg.errors import DataError
from metseg.study import Study, read_study

pytest.importorskip("dicomweb_client")
pytestmark = pytest.mark.slow
USER = "Basic bWV0c2VnOnNlY3JldA=="  # metseg:secret


@pytest.fixture(scope="module")
def stored(
    orthanc: Any,
    head: Study,
    oblique: npt.NDArray[np.float64],
    save_head_as: Callable[..., dict[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A series that is in Orthanc, as files."""
    folder = save_head_as(tmp_path_factory.mktemp("s"), head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"]
    orthanc.put(folder)
    return folder


def test_a_study_is_fetched_outlined_and_stored(
    metseg: Any, model: Path, orthanc: Any, stored: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METSEG_DICOMWEB_AUTHORIZATION", USER)
    command = [
        "predict",
        "--model",
        model,
        "--dicomweb",
        orthanc.url,
        "--study",
        "1.2.3",
        "--output",
        tmp_path,
        "--report",
    ]
    done = metseg(*command, "--store")
    assert done.status == 0, done.err
    assert "2 files stored" in done.out
    names = {"1.2.3_mask.dcm", "1.2.3_mask.json", "1.2.3_report.dcm", "1.2.3_report.json", "1.2.3_report.pdf"}
    assert {path.name for path in tmp_path.iterdir()} == names
    found = orthanc.series()
    assert set(found) == {"MR", "SEG", "SR"}
    series = tmp_path / "again"
    shutil.copytree(stored, series)
    (series / "seg.dcm").write_bytes(found["SEG"][0])
    sent = pydicom.dcmread(tmp_path / "1.2.3_mask.dcm")
    assert pydicom.dcmread(series / "seg.dcm").PixelData == sent.PixelData
    fetched = read_study(series).mask
    shutil.copy(tmp_path / "1.2.3_mask.dcm", series / "seg.dcm")
    ours = read_study(series).mask
    assert fetched is not None
    assert ours is not None
    assert fetched.any()
    assert np.array_equal(fetched, ours)


def test_a_study_becomes_a_case_of_a_project(
    metseg: Any, orthanc: Any, stored: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METSEG_DICOMWEB_AUTHORIZATION", USER)
    create = ["project", "create", tmp_path / "p"]
    done = metseg(*create, "--dicomweb", orthanc.url, "--study", "1.2.3")
    assert done.status == 0, done.err
    assert "1 case added" in done.out
    assert len(list((tmp_path / "p" / "dicom" / "P1_20200102").iterdir())) == len(list(stored.iterdir()))
    saved = tmp_path / "lesions.dcm"
    assert metseg("project", "save", tmp_path / "p", "P1_20200102", "--out", saved).status == 0
    assert pydicom.dcmread(saved).ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.4"
    assert "give either --data" in metseg(*create, "--dicomweb", orthanc.url).err
    assert "has no study 9.9" in metseg(*create, "--dicomweb", orthanc.url, "--study", "9.9").err


def test_a_service_that_is_gone_and_addresses_that_are_none(metseg: Any, model: Path, tmp_path: Path) -> None:
    def asked(url: str) -> str:
        done = metseg("predict", "--model", model, "--dicomweb", url, "--study", "1.2", "--output", tmp_path)
        assert done.status == 2
        return str(done.err)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be reached" in asked(f"http://127.0.0.1:{port}/dicom-web")
    assert "is no URL" in asked("pacs")
    assert "is no URL" in asked("http://user:secret@pacs/dicom-web")


def test_a_token_is_not_sent_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    from metseg.dicomweb import Pacs

    monkeypatch.setenv("METSEG_DICOMWEB_AUTHORIZATION", "Bearer x")
    with pytest.raises(DataError, match="use https"):
        Pacs("http://pacs.example.org/dicom-web")


def test_options_that_do_not_go_together_are_named(metseg: Any, model: Path, tmp_path: Path) -> None:
    for extra in ([], ["--input", tmp_path, "--study", "1"], ["--input", tmp_path, "--store"]):
        done = metseg("predict", "--model", model, "--output", tmp_path / "out", *extra)
        assert done.status == 2
        assert "--dicomweb with --study" in done.err
