"""With the same choice of CLAHE, command line, server and napari make the same mask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from starlette.testclient import TestClient

from metseg.checkpoints import load_checkpoint
from metseg.events import Finished, drain
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.layers import study_layers
from metseg.napari_plugin.state import ModelChoice, SegmentationState
from metseg.napari_plugin.studio.predictions import predicting
from metseg.preprocessing import Clahe
from metseg.study import Study, read_study, read_tiff, write_tiff

CHOICES = (None, *Clahe)


@pytest.fixture
def file(head: Study, tmp_path: Path) -> Path:
    """The synthetic head as one TIFF of many pages."""
    path = tmp_path / "head.tif"
    write_tiff(path, np.ascontiguousarray(head.voxels.transpose(1, 2, 3, 0)), channels=True)
    return path


def from_server(client: TestClient, file: Path, clahe: Clahe | None) -> Any:
    query = {"model": "small"} | ({} if clahe is None else {"clahe": clahe.value})
    content = {"file": ("any", file.read_bytes())}
    answer = client.post("/predict", files=content, headers={"accept": "image/tiff"}, params=query)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("clahe", CHOICES)
def test_every_front_end_makes_the_same_mask(
    client: TestClient, weights: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clahe: Clahe | None
) -> None:
    model = weights / "small" / "model.safetensors"
    command = ["metseg", "predict", "--input", file, "--output", tmp_path / "out", "--model", model]
    _run(monkeypatch, [*command, *([] if clahe is None else ["--clahe", clahe])])
    written = (tmp_path / "out" / "head_mask.tif").read_bytes()

    answer = from_server(client, file, clahe)
    assert answer.content == written
    assert answer.headers["x-clahe"] == (clahe or "on")

    mask = read_tiff(tmp_path / "out" / "head_mask.tif")
    for found in (from_widget(file, model, clahe), from_studio(file, model, clahe)):
        np.testing.assert_array_equal(found.mask * np.uint8(255), mask.reshape(found.mask.shape))
        assert found.clahe == (clahe or "on")


def from_widget(file: Path, model: Path, clahe: Clahe | None) -> Any:
    card = load_checkpoint(model).card
    layers = [Image(data, **keywords) for data, keywords, kind in study_layers(read_study(file)) if kind == "image"]
    state = SegmentationState(image=layers[0], models=(ModelChoice(str(model), "small", card),), model=str(model))
    state.clahe, state.threshold, state.min_lesion_voxels = clahe or card.clahe, card.postprocessing.threshold, 3
    *_, last = pipeline.run(pipeline.order_from(state))
    assert isinstance(last, Finished), last
    [outcome] = last.result
    return outcome.segmentation


def from_studio(file: Path, model: Path, clahe: Clahe | None) -> Any:
    return drain(predicting(read_study(file), str(model), "cpu", clahe, None))


def test_the_choice_makes_a_difference_and_is_said(client: TestClient, file: Path) -> None:
    masks = {clahe: from_server(client, file, clahe).content for clahe in CHOICES}
    assert masks[None] == masks[Clahe.ON]
    assert len(set(masks.values())) == 3
    content = {"file": ("any", file.read_bytes())}
    document = client.post("/predict?clahe=off", files=content).json()
    assert (document["clahe"], document["preprocessing"]["clahe"]) == ("off", None)
    job = client.post("/jobs?clahe=average", files=content).json()
    while client.get(f"/jobs/{job['id']}").json()["state"] in ("queued", "running"):
        pass
    assert client.get(f"/jobs/{job['id']}/result").json()["clahe"] == "average"
    assert client.post("/predict?clahe=some", files=content).status_code == 422
    offered = {model["name"]: model["clahe"] for model in client.get("/models").json()["models"]}
    assert (offered["small"], offered["other"]) == ("on", "on")


def _run(monkeypatch: pytest.MonkeyPatch, arguments: list[Any]) -> None:
    from metseg.cli import main

    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code in (0, None)
