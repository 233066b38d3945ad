"""What is not taken is refused with the status that the OpenAPI document names, and a reason."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.study import Study


def refused(client: TestClient, status: int, content: bytes, accept: str = "*/*", **query: object) -> str:
    """The reason; the answer must be a problem document of a status that /predict declares."""
    answer = client.post("/predict", files={"file": ("a.tif", content)}, headers={"accept": accept}, params=query)
    assert answer.status_code == status, answer.text
    return reason_of(client, answer, "/predict", "post")


def reason_of(client: TestClient, answer: Any, path: str, method: str) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    declared = client.get("/openapi.json").json()["paths"][path][method]["responses"]
    assert str(answer.status_code) in declared
    return str(problem["detail"])


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(min(height * (width + 1), 1 << 24)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zip_of(*members: tuple[str, bytes], flags: int = 0, attributes: int = 0) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return content.getvalue()


def nifti(shape: tuple[int, ...], **fields: object) -> bytes:
    image = nibabel.Nifti1Image(np.ones(shape, np.int16), np.eye(4))
    header = bytearray(image.to_bytes())
    if "dim" in fields:
        struct.pack_into("<8h", header, 40, *fields["dim"])  # type: ignore[misc]
    if "affine" in fields:
        struct.pack_into("<12f", header, 280, *fields["affine"])  # type: ignore[misc]
    return bytes(header)


def tiff(**tags: int) -> bytes:
    """A TIFF that declares a size and holds one byte."""
    entries = [(256, tags["width"]), (257, tags["height"]), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    entries += [(278, tags["height"]), (279, 1)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 10) + b"\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 422, "empty"),
        (b"hello", 415, "first bytes"),
        (b"%PDF-1.7 ...", 415, "first bytes"),
        (b"II*\0\x08\0\0\0", 422, "cut short"),
        (b"\x89PNG\r\n\x1a\n", 422, "damaged"),
        (png_header(1001, 10), 413, "1000 pixels"),
        (png_header(60000, 60000), 413, "60000"),
        (b"\xff\xd8\xff\xe0", 422, "damaged"),
        (b"\x1f\x8b\x08", 422, "gzip"),
        (gzip.compress(b"not a volume" * 100), 415, "NIfTI"),
        (gzip.compress(bytes(1 << 26), 9), 415, "NIfTI"),
        (nifti((4, 4, 4))[:-20], 422, "cut short"),
        (nifti((4, 4, 4, 5)), 415, "series of 5"),
        (nifti((4, 4)), 415, "2 axes"),
        (gzip.compress(nifti((4, 4, 4), dim=(3, 900, 900, 30, 1, 1, 1, 1))), 413, "values"),
        (nifti((4, 4, 4), dim=(3, 32767, 32767, 32767, 1, 1, 1, 1)), 413, "32767"),
        (nifti((4, 4, 4), dim=(3, -4, 4, 4, 1, 1, 1, 1)), 422, "header"),
        (nifti((4, 4, 4), affine=(0,) * 12), 422, "transform"),
        (nifti((4, 4, 4), affine=(float("nan"),) * 12), 422, "header"),
        (zip_of(), 422, "no image"),
        (zip_of(("a.txt", b"x")), 422, "no image"),
        (zip_of(("../../a_1.tif", b"x")), 422, "outside"),
        (zip_of(("/etc/a_1.tif", b"x")), 422, "outside"),
        (zip_of(("C:\\a_1.tif", b"x")), 422, "outside"),
        (zip_of(("a_1.tif", b"/etc/passwd"), attributes=0o120777 << 16), 422, "link"),
        (zip_of(("a_1.tif", bytes(1 << 26))), 413, "unpacks"),
        (zip_of(("a_1.tif", b"II*\0 not really")), 422, "a_1.tif"),
        (b"PK\x03\x04" + bytes(100), 422, "zip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "" if isinstance(value, bytes) else str(value),
)
def test_bad_uploads_are_refused(client: TestClient, content: bytes, status: int, said: str) -> None:
    assert said in refused(client, status, content)


def test_a_tiff_of_too_many_pixels_is_refused_by_its_header(client: TestClient) -> None:
    assert "1000 pixels" in refused(client, 413, tiff(width=1001, height=1))


BOMB = tiff(width=60000, height=60000)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "256 MiB when decoded"),
        (tiff(width=12000, height=12000), "32 MiB when decoded"),
        (zip_of(("p/a_1.tif", BOMB)), "p/a_1.tif: would take more than 256 MiB"),
        (png_header(30000, 30000) + bytes(60_000), "30000 x 30000"),
        (gzip.compress(nifti((4, 4, 4), dim=(3, 20000, 20000, 400, 1, 1, 1, 1))), "20000 x 20000"),
    ],
    ids=["tiff", "strip of a tiff", "tiff in a zip", "png", "nifti in a gzip"],
)
def test_what_is_too_large_when_unpacked_is_413(client: TestClient, content: bytes, said: str) -> None:
    assert said in refused(client, 413, content)


def test_half_transparent_pictures_are_refused_and_opaque_ones_taken(client: TestClient) -> None:
    pixels = np.full((40, 40, 4), 255, np.uint8)
    pixels[:20, :, :3] = 60
    opaque = cv2.imencode(".png", pixels)[1].tobytes()
    assert client.post("/predict", files={"file": opaque}).status_code == 200
    pixels[0, 0, 3] = 254
    assert "transparent" in refused(client, 415, cv2.imencode(".png", pixels)[1].tobytes())


def test_two_patients_in_one_zip_are_refused(
    client: TestClient, slice_tiff: Any, zipped: Callable[..., bytes], tmp_path: Any
) -> None:
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for z in (1, 2):
            slice_tiff(tmp_path / "in" / name, z, f"{name}_{z}.tif")
    assert "2 studies" in refused(client, 422, zipped(tmp_path / "in"))


def test_reasons_name_no_place_on_the_server(client: TestClient, slice_tiff: Any, tmp_path: Any) -> None:
    whole = slice_tiff(tmp_path).read_bytes()
    for content in (whole[: len(whole) // 2], zip_of(("p/a_1.tif", whole), ("p/a_2.tif", whole[:90]))):
        said = refused(client, 422, content)
        assert "/tmp" not in said
        assert "metseg-upload" not in said


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"model": "nobody"}, 422, "no model is called"),
        ({"model": "../small"}, 422, "no model is called"),
        ({"threshold": 2}, 422, "threshold"),
        ({"threshold": "nan"}, 422, "threshold"),
        ({"smallest": -1}, 422, "smallest"),
        ({"slice": 1}, 404, "slice"),
        ({"view": "x-ray"}, 422, "view"),
    ],
)
def test_wrong_parameters_are_refused(
    client: TestClient, slice_tiff: Any, tmp_path: Any, query: dict[str, Any], status: int, said: str
) -> None:
    assert said in refused(client, status, slice_tiff(tmp_path).read_bytes(), **query)


def test_a_model_is_no_file_that_a_client_names(
    client: TestClient, weights: Any, slice_tiff: Any, tmp_path: Any
) -> None:
    path = str(weights / "small" / "model.safetensors")
    assert "no model is called" in refused(client, 422, slice_tiff(tmp_path).read_bytes(), model=path)


@pytest.mark.parametrize(
    ("accept", "view"),
    [
        ("text/html", "mask"),
        ("image/png;q=0", "overlay"),
        ("application/json", "overlay"),
        ("image/*;q=0, text/*", "image"),
    ],
)
def test_forms_that_cannot_be_given_are_406(
    client: TestClient, slice_tiff: Any, tmp_path: Any, accept: str, view: str
) -> None:
    refused(client, 406, slice_tiff(tmp_path).read_bytes(), accept, view=view)


def test_a_png_of_several_slices_asks_for_one(client: TestClient, head: Study, tmp_path: Any) -> None:
    from metseg.study import write_tiff

    write_tiff(tmp_path / "stack.tif", head.voxels[1])
    content = (tmp_path / "stack.tif").read_bytes()
    assert "?slice=" in refused(client, 406, content, "image/png")
    assert "there are 10" in refused(client, 404, content, "image/png", slice=10)


def test_other_bodies_and_fields_are_refused(client: TestClient, slice_tiff: Any, tmp_path: Any) -> None:
    content = slice_tiff(tmp_path).read_bytes()
    other = client.post("/predict", json={"file": "x"})
    assert other.status_code == 415
    assert "multipart" in reason_of(client, other, "/predict", "post")
    stray = client.post("/predict", files={"file": content}, data={"model": "small"})
    assert stray.status_code == 422
    assert "?model=" in reason_of(client, stray, "/predict", "post")
    two = client.post("/predict", files=[("file", content), ("file", content)])
    assert two.status_code == 400
    reason_of(client, two, "/predict", "post")
    none = client.post("/predict", files={"image": content})
    assert none.status_code == 422
    broken = client.post("/predict", content=b"x", headers={"content-type": "multipart/form-data; boundary=y"})
    assert broken.status_code in (400, 422)
    reason_of(client, broken, "/predict", "post")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/predict", 405)])
def test_errors_of_the_framework_are_problems_too(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_only_this_computer_is_answered_without_a_token(client: TestClient) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = client.get("/models", headers=headers)
        assert answer.status_code == 403
        reason_of(client, answer, "/models", "get")
    assert client.get("/models", headers={"origin": "http://localhost:8501"}).status_code == 200
    assert "access-control-allow-origin" not in client.get("/models").headers


def test_a_request_id_is_kept_if_it_can_name_nobody(client: TestClient) -> None:
    mine = "0c6f3f6e-6d0f-4f2b-8f43-3b7f6f0e9a11"
    assert client.get("/livez", headers={"x-request-id": mine}).headers["x-request-id"] == mine
    assert client.get("/livez", headers={"x-request-id": "JANE DOE"}).headers["x-request-id"] != "JANE DOE"


def test_a_file_without_a_file_name_is_told_what_it_lacks(client: TestClient) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + bytes(10_000) + b"\r\n--b--\r\n"
    answer = client.post("/predict", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 400
    assert "needs a filename" in reason_of(client, answer, "/predict", "post")


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told_that_it_needs_one(weights: Path, tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    lines = (
        "from starlette.testclient import TestClient",
        "from metseg.server import Settings, create_app",
        "with TestClient(create_app(Settings(host='127.0.0.1', token=None, model='small'))) as client:",
        "    print(client.get('/livez', headers={'host': 'localhost'}).status_code)",
    )

    def run(text: str) -> subprocess.CompletedProcess[str]:
        script.write_text(text)
        environment = os.environ | {"METSEG_WEIGHTS": str(weights)}
        return subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)

    bare = run("\n".join(lines))
    assert bare.returncode != 0
    assert 'must do so under if __name__ == "__main__":' in bare.stderr
    guarded = run("\n".join([*lines[:2], 'if __name__ == "__main__":', *(f"    {line}" for line in lines[2:])]))
    assert (guarded.returncode, guarded.stdout.strip()) == (0, "200"), guarded.stderr
