"""OpenVINO: converted once, checked against PyTorch, and the same answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from metseg.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from metseg.errors import MetsegError
from metseg.events import Notice, Progress, drain
from metseg.inference import Segmentation, conversion, open_segmenter, openvino_backend
from metseg.inference.backend import ENVIRONMENT
from metseg.inference.conversion import write_network
from metseg.inference.openvino_backend import OpenVinoBackend, can_use, load_openvino
from metseg.inference.torch_backend import TorchBackend
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import Preprocessor
from metseg.study import Study

pytestmark = pytest.mark.skipif(not can_use("cpu"), reason="OpenVINO is not installed, or this is no x86 processor")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests' own, and ``auto`` means what it means to a user."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv(ENVIRONMENT, raising=False)
        yield folder


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    """A trained network, whose probabilities mean something."""
    return load_checkpoint("attention_unet")


def notices(checkpoint: Checkpoint, study: Study) -> tuple[Segmentation, list[str]]:
    """``study`` segmented, and what the user was told."""
    events: list[object] = []
    with open_segmenter(checkpoint, device="cpu") as segmenter:
        found = drain(segmenter.stream(study), events.append)
    return found, [event.text for event in events if isinstance(event, Notice)]


@pytest.mark.slow
def test_it_is_the_default_on_the_cpu_and_gives_the_mask_of_pytorch(shipped: Checkpoint, head: Study) -> None:
    events: list[object] = []
    with open_segmenter(shipped, device="cpu") as segmenter:
        found = drain(segmenter.stream(head), events.append)
        again: list[object] = []
        drain(segmenter.stream(head), again.append)
    with open_segmenter(shipped, device="cpu", backend="torch") as segmenter:
        expected = segmenter.segment(head)
    assert found.backend.startswith("openvino ")
    assert expected.backend.startswith("torch ")
    assert found.provenance["backend"] == found.backend
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.05)
    assert (found.mask != expected.mask).sum() <= 0.01 * expected.mask.sum()
    prepared = [event for event in events if isinstance(event, Progress) and event.what.startswith("preparing")]
    assert len(prepared) == 1
    assert not any(isinstance(event, Progress) and event.what.startswith("preparing") for event in again)


def test_a_network_is_converted_once(shipped: Checkpoint, cache: Path) -> None:
    OpenVinoBackend(shipped, "cpu")
    (graph,) = cache.rglob("network.xml")
    written = graph.stat().st_mtime_ns
    assert not OpenVinoBackend.must_convert(shipped, "cpu")
    OpenVinoBackend(shipped, "cpu")
    assert graph.stat().st_mtime_ns == written


@pytest.mark.slow
@pytest.mark.parametrize("name", ["metastases", "nested_unet", "inception_unet", "best"])
def test_networks_answer_alike_on_any_number_of_slices_of_any_size(name: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(name)
    channels = checkpoint.card.preprocessing.channels
    precise = TorchBackend(checkpoint, "cpu", full_precision=True)
    write_network(OpenVinoBackend, checkpoint.network(), channels, tmp_path / "network.xml")
    run = OpenVinoBackend.open(tmp_path / "network.xml", "f32")
    for count, height, width in ((1, 256, 256), (3, 224, 256), (7, 160, 192)):
        batch = np.random.default_rng(count).random((count, channels, height, width), np.float32)
        np.testing.assert_allclose(run(batch)[0], precise.probabilities(batch), atol=1e-3)


def test_what_cannot_be_converted_runs_with_pytorch_and_that_is_said(
    shipped: Checkpoint, head: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(conversion, "EXAMPLE_SIDE", 16)  # too small for five halvings
    found, said = notices(shipped, head)
    assert found.backend.startswith("torch ")
    assert any("has no OpenVINO form" in text for text in said)


@pytest.mark.slow
def test_a_form_that_answers_otherwise_is_not_used_and_that_is_said(
    head: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    other = build_network(NetworkSpec.of("attention_unet"))
    monkeypatch.setattr(
        conversion, "write_network", lambda backend, _network, *others: write_network(backend, other, *others)
    )
    for is_new in (True, False):  # converted and checked, then known from the cache
        found, said = notices(load_checkpoint("attention_unet_first"), head)
        assert found.backend.startswith("torch ")
        assert any("OpenVINO form" in text and text.endswith("PyTorch is used") for text in said) == is_new


@pytest.fixture
def with_bf16(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let OpenVINO compute in bf16 although the processor may be slower in it."""
    if "BF16" not in load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    monkeypatch.setattr(openvino_backend, "processor_features", frozenset)
    OpenVinoBackend.precisions.cache_clear()  # type: ignore[attr-defined]
    assert OpenVinoBackend.precisions("cpu") == ("bf16", "f32")
    yield
    OpenVinoBackend.precisions.cache_clear()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("with_bf16")
@pytest.mark.slow
def test_a_network_that_is_not_exact_in_bf16_runs_in_f32_and_that_is_said_once(
    shipped: Checkpoint, head: Study, tmp_path: Path
) -> None:
    network = shipped.network()
    images = Preprocessor(shipped.card.preprocessing, head.voxels).images(range(2))
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():  # half of the head lies at the threshold, where a rounded feature decides
        usual = network(torch.from_numpy(images)).median()
        last.weight *= 50
        last.bias.copy_((last.bias - usual) * 50)
    steep = load_checkpoint(save_checkpoint(tmp_path / "steep", network, shipped.card))
    for is_new in (True, False):
        found, said = notices(steep, head)
        assert found.backend.startswith("openvino ")
        assert found.provenance["backend"].endswith(" f32")
        assert any("OpenVINO form in bf16" in text and text.endswith("; f32 is used") for text in said) == is_new
    precise = TorchBackend(steep, "cpu", full_precision=True).probabilities(images)
    np.testing.assert_allclose(OpenVinoBackend(steep, "cpu").probabilities(images), precise, atol=0.01)


@pytest.mark.slow
def test_a_converted_network_needs_no_torch(shipped: Checkpoint, head: Study, tmp_path: Path) -> None:
    OpenVinoBackend(shipped, "cpu")
    np.save(tmp_path / "head.npy", head.voxels)
    code = (
        "import sys, numpy, metseg; voxels = numpy.load(sys.argv[1]);"
        "metseg.segment(voxels, sequences=('pre-contrast', 'flair', 'post-contrast'), model='attention_unet', "
        "device='cpu').save(sys.argv[2]); print('torch' in sys.modules)"
    )
    arguments = [str(tmp_path / "head.npy"), str(tmp_path / "mask.nii.gz")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_nothing_is_reported_to_the_makers_of_openvino() -> None:
    code = (
        "import sys; from metseg.inference.openvino_backend import load_openvino; load_openvino();"
        "assert sys.modules['openvino_telemetry'] is None; print('quiet')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "quiet\n"


def test_a_backend_is_refused_where_it_cannot_run(shipped: Checkpoint) -> None:
    with pytest.raises(MetsegError, match="x86 CPUs"):
        OpenVinoBackend(shipped, "cuda")
    with pytest.raises(MetsegError, match="auto, torch, openvino, onnx"):
        open_segmenter(shipped, backend="abacus")


@pytest.mark.parametrize("threads", [1, 2])
def test_an_open_network_follows_the_number_of_threads(
    shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    used: list[int] = []

    class Recorded(openvino_backend.CompiledNetwork):
        def _compile(self) -> Any:
            compiled = super()._compile()
            used.append(compiled.get_property("INFERENCE_NUM_THREADS"))
            return compiled

    monkeypatch.setattr(openvino_backend, "CompiledNetwork", Recorded)
    monkeypatch.setattr(openvino_backend.THREADS, "_wanted", 1)
    images = np.zeros((1, shipped.card.preprocessing.channels, 64, 64), np.float32)
    backend = OpenVinoBackend(shipped, "cpu")
    used.clear()
    monkeypatch.setattr(openvino_backend.THREADS, "_wanted", threads)
    for _ in range(2):
        backend.probabilities(images)
    assert used == ([] if threads == 1 else [threads])
