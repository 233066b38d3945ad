"""The client that MONAI Label publishes, in a process of its own, works against a real server process."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile

from metseg.checkpoints import read_card
from metseg.curation import EditKind, Project, Status

TOKEN = "not-a-secret"
SCRIPT = Path(__file__).with_name("client_session.py")


@pytest.fixture
def interpreter() -> str:
    """A Python with monailabel and SimpleITK: METSEG_MONAILABEL_PYTHON, or this one."""
    named = os.environ.get("METSEG_MONAILABEL_PYTHON")
    if named:
        return named
    if not (importlib.util.find_spec("monailabel") and importlib.util.find_spec("SimpleITK")):
        pytest.skip("no monailabel client here; METSEG_MONAILABEL_PYTHON can name a Python that has it and SimpleITK")
    return sys.executable


def test_a_person_at_slicer_with_the_published_client(
    project: Project,
    approve: Callable[[str], None],
    start_server: Callable[..., Any],
    interpreter: str,
    tmp_path: Path,
) -> None:
    for name in ("head_2", "head_3"):
        approve(name)
    server = start_server(project=project.path, token=TOKEN)
    folder = tmp_path / "slicer"
    folder.mkdir()

    command = [interpreter, str(SCRIPT), server.url, TOKEN, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr + server.log.read_text()
    told = json.loads(done.stdout)

    _check_case(told, project, server.url, folder)
    _check_own_image(told["own"], project, folder)
    _check_training(told["training"], project)
    assert "Status: 401" in told["without token"]
    assert "Status: 404" in told["no image"]
    assert "nobody" in told["no image"]
    assert "Status: 404" in told["no model"]
    assert "small" in told["no model"]
    assert "Status: 422" in told["no strategy"]
    assert "uncertainty" in told["no strategy"]
    log = server.log.read_text()
    assert not [name for name in ("head_1", "rater-7", TOKEN, "own") if name in log]
    server.end()


def _check_case(told: dict[str, Any], project: Project, url: str, folder: Path) -> None:
    info, case = told["info"], told["case"]
    assert "config" not in info  # Slicer's extension 0.8.5 takes that for an old server
    assert info["labels"][0] == "FLAIR abnormality"
    assert info["models"]["small"]["labels"] == {"FLAIR abnormality": 1}
    assert info["models"]["small"]["type"] == "segmentation"
    assert info["datastore"] == {"total": 3, "completed": 2, "label_tags": {"original": 2, "final": 2}}
    assert {name: list(one["labels"]) for name, one in told["datastore"]["objects"].items()} == {
        "head_1": [],
        "head_2": ["original", "final"],
        "head_3": ["original", "final"],
    }
    assert case["sample"]["id"] == "head_1"
    assert case["next"] == {}
    assert case["params"]["stored"]
    assert case["params"]["label_names"] == {"FLAIR abnormality": 1}
    assert max(case["apart"]) < 1e-4
    assert case["again"] < 1e-4
    assert np.array_equal(np.load(folder / "mask.npy"), _predicted(project, url))
    assert "Status: 422" in case["wrong segment"]
    assert "'x'" in case["wrong segment"]

    stored = project.read_case("head_1")
    assert np.array_equal(stored.labels > 0, np.load(folder / "corrected.npy") > 0)
    assert stored.status is Status.CORRECTED
    assert case["saved"]["status"] == "corrected"
    assert case["saved"]["voxels"] == np.count_nonzero(stored.labels)
    assert [record.annotator for record in stored.history() if record.kind is EditKind.IMPORT] == ["rater-7"]


def _predicted(project: Project, url: str) -> np.ndarray:
    """What /predict says of the same image."""
    image = (project.path / project.read_case("head_1").description.images[0].path).read_bytes()
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "image/tiff"}
    answer = httpx.post(f"{url}/predict", files={"file": image}, headers=headers, timeout=60)
    return tifffile.imread(io.BytesIO(answer.content)) // 255


def _check_own_image(told: dict[str, Any], project: Project, folder: Path) -> None:
    assert told["found"]
    assert not told["stored"]
    assert "Status: 404" in told["gone"]
    assert told["apart"] < 1e-4
    assert told["same voxel"]
    assert told["added"] == {"image": "own"}
    assert told["saved"]["voxels"] == 6 * 4 * 3
    painted = np.zeros((20, 40, 48), np.uint8)
    painted[2:5, 30:34, 5:11] = 1
    assert np.array_equal(np.load(folder / "own_label.npy"), painted)
    assert project.read_case("own").shape == (48, 20, 40)


def _check_training(told: dict[str, Any], project: Project) -> None:
    assert told["started"]["status"] == "RUNNING"
    assert told["running"]
    assert not told["over"]
    assert "Status: 409" in told["second"]
    assert "Status: 404" in told["nothing to stop"]
    assert told["status"]["status"] == "DONE", told["status"]["details"]
    assert told["stopped"]["status"] == "STOPPED"
    assert told["stopped"]["details"]
    assert told["statistics"]["small"]["epoch"] == told["statistics"]["small"]["total_epochs"] == 1
    run = project.path / told["started"]["request"]["folder"]
    assert json.loads((run / "gate.json").read_text())["child"]["rows"]
    assert read_card(next(run.glob("*.safetensors"))).training.corrected
