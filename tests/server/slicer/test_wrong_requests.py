"""What is wrong is answered with a status that OpenAPI names, and in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from metseg.curation import Project

PARAMS = {"params": (None, "{}")}
LABEL = {"label": ("l.nii.gz", b"no volume")}

WRONG = [
    ("GET", "/datastore/image", {"image": "nobody"}, {}, 404),
    ("GET", "/datastore/image", {"image": "../../etc/passwd"}, {}, 404),
    ("GET", "/datastore/image", {}, {}, 422),
    ("GET", "/datastore/", {"output": "everything"}, {}, 422),
    ("GET", "/datastore/label", {"label": "head_1", "tag": "final"}, {}, 404),
    ("GET", "/datastore/label", {"label": "head_1", "tag": "version_2"}, {}, 422),
    ("PUT", "/datastore/label", {"image": "nobody"}, {"files": LABEL}, 415),
    ("PUT", "/datastore/label", {"image": "head_1"}, {"files": PARAMS}, 422),
    ("PUT", "/datastore/label", {"image": "head_1", "tag": "approved"}, {"files": LABEL}, 422),
    ("PUT", "/datastore/label", {"image": "head_1"}, {"files": LABEL, "data": {"params": "{"}}, 422),
    ("PUT", "/datastore/label", {"image": "head_1"}, {"files": LABEL, "data": {"params": "[1]"}}, 422),
    (
        "PUT",
        "/datastore/label",
        {"image": "head_1"},
        {"files": LABEL, "data": {"params": json.dumps({"client_id": 65 * "a"})}},
        422,
    ),
    ("PUT", "/datastore/label", {"image": "head_1"}, {"json": {}}, 415),
    ("PUT", "/datastore/image", {"image": "new"}, {"files": {"file": b"no image"}}, 415),
    ("DELETE", "/datastore/", {"id": "head_1"}, {}, 405),
    ("POST", "/infer/small", {"image": "nobody"}, {"files": PARAMS}, 404),
    ("POST", "/infer/small", {}, {"files": PARAMS}, 404),
    ("POST", "/infer/nothing", {"image": "head_1"}, {"files": PARAMS}, 404),
    ("POST", "/infer/small", {"image": "head_1", "output": "dicom_seg"}, {"files": PARAMS}, 422),
    ("POST", "/infer/small", {"image": "head_1"}, {"files": PARAMS | LABEL}, 422),
    ("POST", "/infer/small", {"image": "head_1"}, {"files": {"params": (None, '{"threshold": 7}')}}, 422),
    ("POST", "/infer/small", {"session_id": "none"}, {"files": PARAMS}, 404),
    ("POST", "/infer/small", {"image": "head_1"}, {"json": {}}, 415),
    ("POST", "/infer/small", {}, {"files": {"file": b"\x1f\x8bno gzip"}}, 422),
    ("PUT", "/session/", {}, {"files": {"files": b"no image"}}, 415),
    ("PUT", "/session/", {}, {"files": {"file": b"no image"}}, 422),
    ("DELETE", "/session/none", {}, {}, 404),
    ("POST", "/activelearning/oldest", {}, {"json": {}}, 422),
    ("POST", "/activelearning/first", {}, {"json": [1]}, 422),
    ("POST", "/activelearning/first", {}, {"json": {"client_id": 5}}, 422),
    ("GET", "/train/", {}, {}, 404),
    ("DELETE", "/train/", {}, {}, 404),
    ("POST", "/train/small", {}, {"json": {}}, 409),
    ("POST", "/train/small", {}, {"json": {"epochs": 0}}, 422),
    ("POST", "/train/nothing", {}, {"json": {}}, 404),
    ("POST", "/auth/token", {}, {"data": {"username": "a"}}, 422),
]


def test_wrong_requests_are_answered_with_a_declared_status(slicer: TestClient) -> None:
    paths = slicer.get("/openapi.json").json()["paths"]
    for method, path, query, content, status in WRONG:
        answer = slicer.request(method, path, params=query, **content)
        assert answer.status_code == status, (method, path, query, answer.text)
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        if status != 405:
            assert str(status) in _operation(paths, method, path)["responses"], (method, path, status)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81])
def test_an_image_needs_a_name(slicer: TestClient, name: str) -> None:
    volume = slicer.get("/datastore/image?image=head_1").content
    answer = slicer.put("/datastore/image", params={"image": name}, files={"file": volume})
    assert answer.status_code == 422, answer.text


def test_names_as_slicer_gives_them_stay_within_the_project(slicer: TestClient, project: Project) -> None:
    names = ["3: FLAIR AX", "../../up", "..", "own", "OWN", "ä/ö"]
    volume = slicer.get("/datastore/image?image=head_1").content
    for name in names:
        assert slicer.put("/datastore/image", params={"image": name}, files={"file": volume}).json() == {"image": name}
        assert slicer.get("/datastore/image", params={"image": name}).content == volume
    assert {case.name for case in project.cases()} >= set(names)
    images = {file for name in names for file in project.read_case(name).description.images}
    assert {Path(file.path).parent.as_posix() for file in images} == {"uploads"}
    assert len({Path(file.path).name.casefold() for file in images}) == len(names)


@pytest.mark.parametrize(("name", "spacing"), [("head_1", (3.0, 0.9, 1.1)), ("head_3", None)])
def test_a_place_that_was_made_up_does_not_become_a_known_one(
    slicer: TestClient, project: Project, name: str, spacing: tuple[float, float, float] | None
) -> None:
    volume = slicer.get("/datastore/image", params={"image": name}).content
    answer = slicer.put("/datastore/image", params={"image": "again"}, files={"file": volume})
    assert answer.status_code == 200, answer.text
    geometry = project.read_case("again").description.geometry
    assert not geometry.is_placed
    assert geometry.spacing == (None if spacing is None else pytest.approx(spacing))
    assert slicer.get("/datastore/image?image=again").content == volume
    answer = slicer.put("/datastore/image?image=again", files={"file": volume})
    assert answer.status_code == 200, answer.text


def test_another_image_of_a_name_is_refused(slicer: TestClient) -> None:
    volume = slicer.get("/datastore/image?image=head_2").content
    answer = slicer.put("/datastore/image?image=head_1", files={"file": volume})
    assert answer.status_code == 409


def _operation(paths: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """What OpenAPI says of a path, whose last part may be a parameter."""
    if path not in paths:
        start = path.rpartition("/")[0]
        path = next(one for one in paths if one.startswith(f"{start}/{{"))
    operation: dict[str, Any] = paths[path][method.lower()]
    return operation
