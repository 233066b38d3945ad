"""``metseg predict --dicomweb``: from a real PACS (Orthanc) and back to it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from metseg.errors import DataError
from metseg.events import drain
from metseg.study import Study, read_study

pytest.importorskip("dicomweb_client")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
pytestmark = pytest.mark.slow
needs_orthanc = pytest.mark.skipif(
    shutil.which("Orthanc") is None or not PLUGIN.exists(), reason="Orthanc is not installed"
)
USER = "Basic bWV0c2VnOnNlY3JldA=="  # metseg:secret


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Orthanc that wants a password and answers this computer alone; its address."""
    folder = tmp_path_factory.mktemp("orthanc")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"metseg": "secret"},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    command = ["Orthanc", str(folder / "orthanc.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if "Orthanc has started" in line:
                break
        else:
            pytest.fail("".join(said))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.communicate(timeout=60)


def ask(url: str, data: bytes | None = None) -> Any:
    request = urllib.request.Request(url, data=data, headers={"Authorization": USER})
    with urllib.request.urlopen(request) as answer:
        content = answer.read()
    return json.loads(content) if answer.headers.get_content_type() == "application/json" else content


@pytest.fixture(scope="module")
def stored(
    orthanc: str,
    head: Study,
    oblique: npt.NDArray[np.float64],
    save_head_as: Callable[..., dict[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A series that is in Orthanc, as files."""
    folder = save_head_as(tmp_path_factory.mktemp("s"), head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"]
    for path in sorted(folder.iterdir()):
        ask(f"{orthanc}/instances", path.read_bytes())
    return folder


@needs_orthanc
def test_a_study_is_fetched_outlined_and_stored(
    metseg: Any, model: Path, orthanc: str, stored: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METSEG_DICOMWEB_AUTHORIZATION", USER)
    url = f"{orthanc}/dicom-web"
    command = ["predict", "--model", model, "--dicomweb", url, "--study", "1.2.3", "--output", tmp_path, "--report"]
    done = metseg(*command, "--store")
    assert done.status == 0, done.err
    assert "2 files stored" in done.out
    names = {"1.2.3_mask.dcm", "1.2.3_mask.json", "1.2.3_report.dcm", "1.2.3_report.json", "1.2.3_report.pdf"}
    assert {path.name for path in tmp_path.iterdir()} == names
    found = {
        one["MainDicomTags"]["Modality"]: ask(f"{orthanc}/series/{one['ID']}/instances")[0]["ID"]
        for one in ask(f"{orthanc}/series?expand")
    }
    assert set(found) == {"MR", "SEG", "SR"}
    series = tmp_path / "again"
    shutil.copytree(stored, series)
    (series / "seg.dcm").write_bytes(ask(f"{orthanc}/instances/{found['SEG']}/file"))
    sent = pydicom.dcmread(tmp_path / "1.2.3_mask.dcm")
    assert pydicom.dcmread(series / "seg.dcm").PixelData == sent.PixelData
    fetched = read_study(series).mask
    shutil.copy(tmp_path / "1.2.3_mask.dcm", series / "seg.dcm")
    ours = read_study(series).mask
    assert fetched is not None
    assert ours is not None
    assert fetched.any()
    assert np.array_equal(fetched, ours)


@needs_orthanc
@pytest.mark.parametrize(
    ("token", "study", "said"),
    [("Bearer wrong", "1.2.3", "refused us"), (None, "1.2.3", "refused us"), (USER, "1.2.3.99", "has no MR series")],
)
def test_what_the_service_refuses_is_said(
    orthanc: str,
    stored: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    token: str | None,
    study: str,
    said: str,
) -> None:
    from metseg.dicomweb import Pacs

    if token:
        monkeypatch.setenv("METSEG_DICOMWEB_AUTHORIZATION", token)
    with pytest.raises(DataError, match=said):
        drain(Pacs(f"{orthanc}/dicom-web").fetching(study, tmp_path / "x"))


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
