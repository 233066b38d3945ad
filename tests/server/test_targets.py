"""A server that chooses networks by sequences, and says what they outline."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.server import Settings, create_app
from metseg.study import Study, write_tiff


@pytest.fixture(scope="module")
def automatic(two_targets_folder: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(two_targets_folder))
        app = create_app(Settings(host="127.0.0.1", token=None, model="auto"))
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def triplet(head: Study, tmp_path: Path) -> bytes:
    write_tiff(tmp_path / "x.tif", np.ascontiguousarray(head.voxels[:, 5].transpose(1, 2, 0)))
    return (tmp_path / "x.tif").read_bytes()


@pytest.fixture
def single(head: Study, tmp_path: Path) -> bytes:
    write_tiff(tmp_path / "y.tif", head.voxels[2, 5])
    return (tmp_path / "y.tif").read_bytes()


def test_the_sequences_decide_and_the_answer_says_the_target(
    automatic: TestClient, triplet: bytes, single: bytes
) -> None:
    for content, params, expected in (
        (triplet, {}, ("best", "FLAIR abnormality")),
        (triplet, {"target": "enhancing-lesion"}, ("metastases", "enhancing lesion")),
        (triplet, {"model": "metastases"}, ("metastases", "enhancing lesion")),
        (single, {}, ("best", "FLAIR abnormality")),
        (single, {"sequences": "post-contrast"}, ("metastases", "enhancing lesion")),
        (single, {"sequences": "post-contrast", "model": "auto"}, ("metastases", "enhancing lesion")),
    ):
        answer = automatic.post("/predict", params=params, files={"file": content})
        assert answer.status_code == 200, answer.text
        model = answer.json()["model"]
        assert (model["name"], model["target"]) == expected
        assert (answer.headers["X-Model-Name"], answer.headers["X-Target"]) == expected


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"sequences": "flair,flair"}, "two channels are called flair"),
        ({"sequences": "flair,post-contrast"}, "1 channel, and 2 are named"),
        ({"sequences": "flair", "target": "enhancing-lesion"}, "outlined on post-contrast, which is not there"),
        ({"model": "best", "target": "enhancing-lesion"}, "best outlines the FLAIR abnormality"),
    ],
)
def test_what_cannot_be_outlined_is_refused(
    automatic: TestClient, single: bytes, params: dict[str, str], reason: str
) -> None:
    answer = automatic.post("/predict", params=params, files={"file": single})
    assert answer.status_code == 409
    assert reason in answer.json()["detail"]


def test_what_is_no_sequence_is_a_wrong_parameter(automatic: TestClient, single: bytes) -> None:
    assert automatic.post("/predict", params={"sequences": "t3"}, files={"file": single}).status_code == 422


def test_models_say_what_they_outline_and_that_one_is_chosen(automatic: TestClient) -> None:
    listed = automatic.get("/models").json()
    assert listed["automatic"]
    targets = {model["name"]: model["target"] for model in listed["models"]}
    assert targets["metastases"] == "enhancing lesion"
    assert targets["best"] == "FLAIR abnormality"


def test_a_models_card_names_no_patient_of_its_training(automatic: TestClient, triplet: bytes) -> None:
    cards = {model["name"]: model for model in automatic.get("/models").json()["models"]}
    assert "training" not in cards["best"]["card"]
    assert cards["best"]["card"]["preprocessing"]["sequences"] == ["pre-contrast", "flair", "post-contrast"]
    answer = automatic.post("/predict", params={"model": "best"}, files={"file": triplet})
    assert answer.headers["X-Model-SHA256"] == cards["best"]["weights_sha256"]


def test_masks_in_a_zip_have_the_sidecars_that_predict_writes(automatic: TestClient, single: bytes) -> None:
    accepted = {"Accept": "application/zip"}
    answer = automatic.post("/predict", params={"model": "metastases"}, files={"file": single}, headers=accepted)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (sidecar,) = (name for name in archive.namelist() if name.endswith("_mask.json"))
        assert json.loads(archive.read(sidecar))["target"] == "enhancing lesion"
