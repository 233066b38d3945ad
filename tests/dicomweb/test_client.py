"""Search, retrieval and storage in a real PACS (Orthanc), and what is said when it refuses, breaks off or is gone."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keyring
import numpy as np
import pydicom
import pytest

from metseg.dicomweb import Credentials, Pacs, StudyQuery, known_credentials, remember, suggested_series
from metseg.errors import DataError
from metseg.events import Finished, Progress, drain
from metseg.study import Study

pytest.importorskip("dicomweb_client")
pytestmark = pytest.mark.slow
ALLOWED = Credentials.of_password("metseg", "secret")


@pytest.fixture(scope="module")
def series(
    head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A FLAIR series of study 1.2.3 as files."""
    return save_head_as(tmp_path_factory.mktemp("series"), head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"]


def as_other(path: Path, into: Path, **changes: Any) -> None:
    """Write a DICOM file with other attributes."""
    data = pydicom.dcmread(path)
    for name, value in changes.items():
        setattr(data, name, value)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(into, enforce_file_format=True)


@pytest.fixture(scope="module")
def stored(orthanc: Any, series: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An Orthanc with that series, a second, shorter FLAIR, a T1, and another patient's study of another year."""
    orthanc.put(series)
    more = tmp_path_factory.mktemp("more")
    files = sorted(series.iterdir())
    for number, path in enumerate(files[:4]):
        uid = f"1.2.3.9.{number}"
        as_other(path, more / uid, SOPInstanceUID=uid, SeriesInstanceUID="1.2.3.9", SeriesDescription="t2 flair cor")
    for number, path in enumerate(files):
        uid = f"1.2.3.8.{number}"
        as_other(path, more / uid, SOPInstanceUID=uid, SeriesInstanceUID="1.2.3.8", SeriesDescription="T1 post Gd")
    other = {"StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.4.1", "SOPInstanceUID": "1.2.4.1.1"}
    about = {"PatientID": "Q7", "StudyDate": "20240506", "StudyDescription": "Follow-up brain", "SeriesDescription": ""}
    as_other(files[0], more / "other", **other, **about)
    orthanc.put(more)
    return orthanc


def test_studies_are_found_by_patient_date_and_description(stored: Any) -> None:
    pacs = Pacs(stored.url, ALLOWED)

    def found(**asked: Any) -> list[str]:
        return [study.uid for study in pacs.find_studies(StudyQuery(**asked))]

    assert found() == ["1.2.4", "1.2.3"]  # the newest first
    assert found(patient="P1") == ["1.2.3"]
    assert found(patient="Q*") == ["1.2.4"]
    assert found(earliest=datetime.date(2024, 1, 1)) == ["1.2.4"]
    assert found(latest=datetime.date(2020, 1, 2)) == ["1.2.3"]
    assert found(description="BRAIN") == ["1.2.4"]
    assert found(patient="P1", description="brain") == []
    [study] = pacs.find_studies(StudyQuery(patient="Q7"))
    assert (study.title, study.day, study.modalities, study.series) == ("Q7_20240506", "2024-05-06", ("MR",), 1)


def test_of_a_study_the_series_that_a_reader_would_use_are_suggested(stored: Any) -> None:
    series = Pacs(stored.url, ALLOWED).series_of("1.2.3")
    assert {one.uid: one.images for one in series} == {"1.2.3.4": 10, "1.2.3.9": 4, "1.2.3.8": 10}
    assert suggested_series(series) == {"1.2.3.4", "1.2.3.8"}
    [unnamed] = Pacs(stored.url, ALLOWED).series_of("1.2.4")
    assert suggested_series([unnamed]) == {"1.2.4.1"}


def test_the_chosen_series_alone_are_fetched(stored: Any, tmp_path: Path) -> None:
    pacs = Pacs(stored.url, ALLOWED)
    events = list(pacs.fetching("1.2.3", tmp_path / "x", {"1.2.3.9"}))
    assert events[-1] == Finished(4)
    assert [event.done for event in events[:-1] if isinstance(event, Progress)] == [0, 1, 2, 3, 4]
    fetched = [pydicom.dcmread(path) for path in sorted((tmp_path / "x").iterdir())]
    assert {str(data.SeriesInstanceUID) for data in fetched} == {"1.2.3.9"}
    with pytest.raises(DataError, match="has no such series"):
        drain(pacs.fetching("1.2.3", tmp_path / "y", {"1.2.3.9", "1.2.3.77"}))
    assert not (tmp_path / "y").exists()


def test_a_stop_leaves_nothing(stored: Any, tmp_path: Path) -> None:
    stream = Pacs(stored.url, ALLOWED).fetching("1.2.3", tmp_path / "x")
    while next(stream).done < 2:
        pass
    assert (tmp_path / "x").exists()
    stream.close()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("credentials", "study", "said"),
    [
        (Credentials.of_password("metseg", "wrong"), "1.2.3", "refused us .401."),
        (Credentials.of_token("wrong"), "1.2.3", "refused us .401."),
        (Credentials(), "1.2.3", "refused us .401."),
        (ALLOWED, "1.2.3.99", "has no MR series of study"),
    ],
)
def test_what_the_service_refuses_is_said(
    stored: Any, tmp_path: Path, credentials: Credentials, study: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        drain(Pacs(stored.url, credentials).fetching(study, tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_an_address_that_is_no_dicomweb_service_is_told(stored: Any) -> None:
    with pytest.raises(DataError, match="whole address"):
        Pacs(f"{stored.address}/nothing", ALLOWED).find_studies(StudyQuery())
    with pytest.raises(DataError, match="whole address"):
        Pacs(f"{stored.address}/app/explorer.html?", ALLOWED).find_studies(StudyQuery())


def test_a_service_that_dies_in_the_middle_leaves_nothing(
    start_orthanc: Callable[..., Any], series: Path, tmp_path: Path
) -> None:
    server = start_orthanc()
    large = tmp_path / "large"
    large.mkdir()
    first = sorted(series.iterdir())[0]
    pixels = np.random.default_rng(0).integers(0, 4000, (1024, 1024), np.uint16).tobytes()
    for number in range(40):  # 80 MB, more than sockets hold
        uid = f"1.2.5.1.{number}"
        ids = {"StudyInstanceUID": "1.2.5", "SeriesInstanceUID": "1.2.5.1", "SOPInstanceUID": uid}
        as_other(first, large / uid, **ids, Rows=1024, Columns=1024, PixelData=pixels)
    server.put(large)
    stream = Pacs(server.url, ALLOWED).fetching("1.2.5", tmp_path / "x")
    while next(stream).done < 3:
        pass
    server.stop()
    with pytest.raises(DataError, match="after [0-9]+ of 40 images; nothing of them is kept, try again"):
        list(stream)
    assert not (tmp_path / "x").exists()
    server.start()
    assert drain(Pacs(server.url, ALLOWED).fetching("1.2.5", tmp_path / "x")) == 40


# Certificates


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Make a certificate that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("certificates")

    def make(name: str) -> tuple[Path, Path]:
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject)
        return certificate, key

    return make


@contextmanager
def behind_tls(server: Any, certificate: Path, key: Path, clients: Path) -> Iterator[str]:
    """A TLS terminator in front of ``server``, as hospitals have one; its address.

    Debian 12's Orthanc (1.10.1) ends by a segmentation fault when it checks a client's certificate itself.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(clients))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    behind = int(server.address.rpartition(":")[2])

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        further, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pipe(reader, back), pipe(further, writer))

    loop = asyncio.new_event_loop()
    relay = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{relay.sockets[0].getsockname()[1]}/dicom-web"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_certificates_of_both_sides(
    stored: Any, certificates: Callable[[str], tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, key = certificates("client")
    wrong, wrong_key = certificates("wrong")
    theirs, their_key = certificates("server")
    asked, header = StudyQuery(patient="P1"), ALLOWED.authorization
    allowed = Credentials(header, str(ours), str(key))
    with behind_tls(stored, theirs, their_key, ours) as url:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        with pytest.raises(DataError, match="is not trusted.*REQUESTS_CA_BUNDLE"):
            Pacs(url, allowed).find_studies(asked)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(theirs))
        assert [study.uid for study in Pacs(url, allowed).find_studies(asked)] == ["1.2.3"]
        for credentials in (Credentials(header), Credentials(header, str(wrong), str(wrong_key))):
            with pytest.raises(DataError, match="did not accept our certificate"):
                Pacs(url, credentials).find_studies(asked)


def test_files_that_are_no_certificate_are_named(
    certificates: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    ours, key = certificates("a")
    locked = tmp_path / "locked.key"
    openssl("rsa", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked)
    for bad, said in (
        (tmp_path / "none.pem", "cannot be read"),
        (locked, "has a password"),
        (Path(__file__), "no PEM"),
    ):
        with pytest.raises(DataError, match=said):
            Pacs("https://pacs.example.org/dicom-web", Credentials(certificate=str(ours), key=str(bad)))


# Where credentials come from


def test_credentials_are_those_of_the_environment_else_of_the_keyring(
    kept: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("https://a/dicom-web", Credentials.of_token("abc"))
    assert known_credentials("https://a/dicom-web") == Credentials("Bearer abc")
    assert known_credentials("https://b/dicom-web") == Credentials()
    monkeypatch.setenv("METSEG_DICOMWEB_CERT", "/c.pem")
    assert known_credentials("https://a/dicom-web") == Credentials(certificate="/c.pem")
    assert "abc" not in repr(Credentials.of_token("abc"))


def test_without_a_keyring_the_environment_is_named() -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(DataError, match="METSEG_DICOMWEB_AUTHORIZATION"):
            remember("https://a/dicom-web", Credentials.of_token("abc"))
        assert known_credentials("https://a/dicom-web") == Credentials()
    finally:
        keyring.set_keyring(before)


def test_a_token_that_cannot_be_sent_is_refused() -> None:
    for token in ("ab\nX-Evil: 1", "schlüssel"):
        with pytest.raises(DataError, match="copy it again"):
            Credentials.of_token(token)
    assert Credentials.of_token(" Basic abc ") == Credentials("Basic abc")
