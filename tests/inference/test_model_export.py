"""Networks for other software: the same answers there, and all that is needed to run them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import Checkpoint, combine, list_models, load_checkpoint, save_checkpoint
from metseg.errors import DataError
from metseg.inference import conversion, model_export
from metseg.inference.backend import ConversionError
from metseg.inference.model_export import export_model, export_readme
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.inference.torch_backend import TorchBackend
from metseg.preprocessing import PreprocessingConfig

pytestmark = pytest.mark.slow

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network as ONNX."""
    return export_model(load_checkpoint("attention_unet"), "onnx", tmp_path_factory.mktemp("out") / "attention")


def test_the_program_in_the_readme_gets_the_probabilities_of_the_example(exported: Path) -> None:
    program = (
        exported.with_name("README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=exported.parent, check=True, capture_output=True, text=True
    )
    assert float(done.stdout.removeprefix("largest difference:")) < 1e-3


def test_it_takes_any_number_of_slices_of_any_size_and_openvino_reads_it(exported: Path) -> None:
    reference = TorchBackend(load_checkpoint("attention_unet"), "cpu", full_precision=True)
    session = onnxruntime.InferenceSession(str(exported))
    run = OpenVinoBackend.open(exported, "f32")
    for count, height, width in ((1, 128, 96), (3, 96, 160)):
        images = np.random.default_rng(count).random((count, 3, height, width), np.float32)
        expected = reference.probabilities(images)
        np.testing.assert_allclose(session.run(None, {"images": images})[0], expected, atol=1e-3)
        np.testing.assert_allclose(run(images)[0], expected, atol=1e-3)


def test_the_description_is_the_card_and_the_files(exported: Path) -> None:
    checkpoint = load_checkpoint("attention_unet")
    said = json.loads(exported.with_name("network.json").read_text(encoding="utf-8"))
    assert said["weights_sha256"] == checkpoint.sha256
    assert said["licence"] == checkpoint.card.licence
    assert PreprocessingConfig.model_validate(said["preprocessing"]) == checkpoint.card.preprocessing
    assert said["postprocessing"]["threshold"] == checkpoint.card.postprocessing.threshold
    assert len(said["input"]["channels"]) == said["input"]["shape"][1] == checkpoint.card.preprocessing.channels
    assert {path.name for path in exported.parent.iterdir()} == {*said["files"], "network.json", "README.md"}
    for name, digest in said["files"].items():
        assert hashlib.sha256((exported.parent / name).read_bytes()).hexdigest() == digest


def test_nothing_is_written_over_or_half(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="not empty"):
        export_model(load_checkpoint("attention_unet"), "onnx", exported.parent)
    monkeypatch.setattr(conversion, "disagreement_with", lambda *_: "loses 0.5 of Dice on average")
    with pytest.raises(ConversionError, match=r"its ONNX form in f32 loses 0\.5"):
        export_model(load_checkpoint("attention_unet"), "onnx", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["metastases", "nested_unet", "inception_unet", "best"])
def test_every_network_becomes_one_graph(name: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(name)
    session = onnxruntime.InferenceSession(str(export_model(checkpoint, "onnx", tmp_path / name)))
    with np.load(tmp_path / name / model_export.EXAMPLE) as example:
        found, apart = session.run(None, {"images": example["images"]})
        np.testing.assert_allclose(found, example["probabilities"], atol=1e-3)
    assert (apart.max() > 0.01) == (name == "best")


@pytest.mark.slow
def test_openvino_is_written_with_the_precision_that_passed(tmp_path: Path, shipped: Checkpoint) -> None:
    first = load_checkpoint("attention_unet_first")
    both = load_checkpoint(save_checkpoint(tmp_path / "both", *combine([shipped, first], "both")))
    file = export_model(both, "openvino", tmp_path / "out")
    said = json.loads(file.with_name("network.json").read_text(encoding="utf-8"))
    images = np.load(file.with_name("example.npz"))["images"]
    found, apart = OpenVinoBackend.open(file, said["precision"])(images)
    assert found.shape == apart.shape
    assert apart.max() > 0.1
    assert f'"{said["precision"]}"' in file.with_name("README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint("attention_unet")


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_every_card_makes_a_page_with_its_threshold_and_sequences(form: str) -> None:
    description = {"files": {"network": "0"}, "weights_sha256": "0", "precision": "f32", "form": form}
    for info in list_models():
        assert info.card is not None
        page = export_readme(info.card, description)
        assert f"probability of at least {info.card.postprocessing.threshold:g}." in page
        assert all(f"{sequence}, slice +0" in page for sequence in info.card.preprocessing.sequences)
