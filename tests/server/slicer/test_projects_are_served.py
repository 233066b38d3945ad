"""Images, the next one, models, trainings and tokens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import nibabel
import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.curation import Project, PromotionResult, promote_model
from metseg.errors import DataError
from metseg.retraining.runs import RUNS
from metseg.server import Settings, create_app
from metseg.server.slicer.cases import ProjectCases
from metseg.server.slicer.samples import Samples, Strategy
from metseg.study import Sequence

Serve = Callable[..., AbstractContextManager[TestClient]]
PARAMS = {"params": (None, "{}")}


def test_an_image_is_flair_in_its_place(
    slicer: TestClient, project: Project, volume_in: Callable[[bytes], nibabel.Nifti1Image]
) -> None:
    for name, affine, said in (
        ("head_1", np.diag([-1.1, -0.9, 3, 1]), b""),
        ("head_3", np.diag([-1.0, -1, 1, 1]), b"voxel spacing unknown, written as 1 x 1 x 1 mm"),
    ):
        image = volume_in(slicer.get("/datastore/image", params={"image": name}).content)
        study = project.read_case(name).study()
        flair = study.voxels[study.channel(Sequence.FLAIR)]
        assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), flair)
        assert np.allclose(image.affine, affine)
        assert image.header["descrip"].item() == said


def test_an_image_that_is_gone_from_the_disk_is_refused_by_reason(slicer: TestClient, project: Project) -> None:
    images = project.path.parent / "images"
    (images / "head_2.tif").unlink()
    answer = slicer.post("/infer/small?image=head_2", files=PARAMS)
    assert answer.status_code == 500
    assert "is gone" in answer.json()["detail"]
    assert str(images) not in answer.text


def test_the_next_image_follows_the_review_queue(
    slicer: TestClient, project: Project, approve: Callable[[str], None]
) -> None:
    slicer.post("/infer/small?image=head_2", files=PARAMS)
    samples = Samples(ProjectCases(project.path))  # the server's own remember what other tests were given
    chosen = {strategy: samples.next(strategy, "") for strategy in Strategy}
    names = {strategy: case.name for strategy, case in chosen.items() if case is not None}
    assert names[Strategy.UNCERTAINTY] == "head_2"  # predicted ones come first
    assert names[Strategy.FIRST] == "head_1"
    assert names[Strategy.RANDOM] in {"head_1", "head_2", "head_3"}
    for name in ("head_1", "head_2", "head_3"):
        approve(name)
    assert slicer.post("/activelearning/uncertainty").json() == {}


def test_two_people_are_given_different_images_while_there_are_others(project: Project) -> None:
    samples = Samples(ProjectCases(project.path))
    given = [samples.next(Strategy.FIRST, who) for who in ("a", "b", "a", "b", "c", "d")]
    assert [case and case.name for case in given] == ["head_1", "head_2", "head_1", "head_2", "head_3", "head_1"]


def test_the_projects_own_model_is_offered_first(slicer: TestClient, project: Project, weights: Path) -> None:
    file = next((weights / "other").glob("*.safetensors"))
    promote_model(project, file, name="ours", promotion=PromotionResult.PASSED)
    assert next(iter(slicer.get("/info/").json()["models"])) == "ours"
    ours, other = (
        slicer.post(f"/infer/{name}?image=head_1&output=json", files=PARAMS).json() for name in ("ours", "other")
    )
    assert ours["model"] == "ours"
    assert ours["weights_sha256"] == other["weights_sha256"]


def test_one_training_at_a_time_until_it_is_stopped(serve: Serve, approve: Callable[[str], None]) -> None:
    approve("head_1")
    with serve() as client:
        assert client.post("/train/best", json={}).status_code == 422  # several networks
        started = client.post("/train/small", json={"epochs": 3, "client_id": "rater"}).json()
        assert started["status"] == "RUNNING"
        assert started["request"]["folder"].startswith(f"{RUNS}/"), "where the studio looks for it"
        assert client.get("/train/?check_if_running=true").status_code == 200
        assert client.post("/train/small", json={}).status_code == 409
        stopped = client.delete("/train/").json()
        assert (stopped["id"], stopped["status"], bool(stopped["details"])) == (started["id"], "STOPPED", True)
        assert client.get("/train/?check_if_running=true").status_code == 404
        assert client.get("/train/").json()["status"] == "STOPPED"
        assert client.get("/info/").json()["train_stats"]["small"]["total_epochs"] == 3


def test_the_password_is_the_token(serve: Serve) -> None:
    with serve(token="abc") as client:
        assert client.get("/auth/").json()["enabled"] is True
        assert client.get("/info/").status_code == client.get("/auth/token/valid").status_code == 401
        wrong = client.post("/auth/token", data={"username": "rater", "password": "abcd"})
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        token = client.post("/auth/token", data={"username": "rater", "password": "abc"}).json()
        headers = {"Authorization": f"{token['token_type']} {token['access_token']}"}
        assert client.get("/auth/token/valid", headers=headers).status_code == 200
        assert client.get("/info/", headers=headers).status_code == 200


def test_without_a_project_there_are_no_such_routes(client: TestClient) -> None:
    assert client.get("/info/").status_code == 404


def test_a_folder_that_is_no_project_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no project"):
        create_app(Settings(project=tmp_path))
