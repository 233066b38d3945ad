"""ONNX Runtime: converted once, checked against PyTorch, and the same answers, on the devices that it has here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.errors import MetsegError
from metseg.events import Progress, drain
from metseg.inference import backend_devices, open_segmenter, resolve_device
from metseg.inference.backend import ENVIRONMENT
from metseg.inference.onnx_backend import OnnxBackend, onnx_devices
from metseg.study import Study

pytestmark = pytest.mark.slow

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of these tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    """A trained network, whose probabilities mean something."""
    return load_checkpoint("attention_unet")


def test_it_gives_the_mask_of_pytorch_in_full_precision_and_is_converted_once(
    shipped: Checkpoint, head: Study, cache: Path
) -> None:
    events: list[object] = []
    with open_segmenter(shipped, device="cpu", backend="onnx") as segmenter:
        found = drain(segmenter.stream(head), events.append)
    graph, *_ = cache.rglob("network.onnx")
    written = graph.stat().st_mtime_ns
    with open_segmenter(shipped, device="cpu", backend="onnx") as segmenter:
        again = drain(segmenter.stream(head), events.append)
    with open_segmenter(shipped, device="cpu", backend="torch") as segmenter:
        expected = segmenter.segment(head)
    assert found.provenance["backend"] == f"onnxruntime {onnxruntime.__version__} f32"
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.05)
    np.testing.assert_array_equal(found.mask, again.mask)
    assert found.mask.any()
    assert (found.mask != expected.mask).sum() <= 0.01 * expected.mask.sum()
    assert sum(isinstance(event, Progress) and event.what.startswith("preparing") for event in events) == 1
    assert graph.stat().st_mtime_ns == written


def test_the_environment_chooses_it_and_no_torch_is_needed_then(
    shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    OnnxBackend(shipped, "cpu")
    monkeypatch.setenv(ENVIRONMENT, "onnx")
    code = (
        "import sys, numpy, metseg; voxels = numpy.random.default_rng(0).random((3, 2, 64, 64), numpy.float32);"
        "found = metseg.segment(voxels, sequences=('pre-contrast', 'flair', 'post-contrast'), model='attention_unet', "
        "device='cpu'); print(found.backend.partition(' ')[0], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "onnxruntime False\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process' memory")
def test_a_batch_that_does_not_fit_is_reported_and_a_smaller_one_goes_on(
    shipped: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    OnnxBackend(shipped, "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = (
        "import resource, numpy; from metseg.checkpoints import load_checkpoint;"
        "from metseg.inference import DeviceMemoryError; from metseg.inference.onnx_backend import OnnxBackend;"
        "backend = OnnxBackend(load_checkpoint('attention_unet'), 'cpu');"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)\n"
        "ask = lambda count, side: backend.probabilities(numpy.zeros((count, 3, side, side), numpy.float32)).shape\n"
        "try: ask(96, 256)\n"
        "except DeviceMemoryError as error: print(error, ask(1, 64))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "cpu is out of memory (1, 64, 64)\n"


def test_its_devices_are_those_of_the_installed_build(monkeypatch: pytest.MonkeyPatch) -> None:
    assert onnx_devices() == ["cpu"]
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["DmlExecutionProvider", "CPUExecutionProvider"]
    )
    assert resolve_device("auto", backend_devices("onnx")) == "dml"
    assert resolve_device("auto", backend_devices("openvino")) == "cpu"


def test_it_is_refused_where_it_cannot_run(shipped: Checkpoint, cache: Path) -> None:
    with pytest.raises(MetsegError, match="runs on cpu; the device is cuda"):
        OnnxBackend(shipped, "cuda")
    OnnxBackend(shipped, "cpu")
    graph, *_ = cache.rglob("network.onnx")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(MetsegError, match="cannot use cuda"):
        OnnxBackend.open(graph, "f32", "cuda")
