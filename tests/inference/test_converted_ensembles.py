"""An ensemble is one graph in every form, and its members' disagreement is known there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import combine, load_checkpoint, save_checkpoint
from metseg.inference import open_segmenter
from metseg.inference.openvino_backend import can_use
from metseg.study import Study


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_an_ensembles_disagreement_is_that_of_pytorch(
    backend: str, head: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    elif not can_use("cpu"):
        pytest.skip("OpenVINO is not installed, or this is no x86 processor")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    members = [load_checkpoint("attention_unet"), load_checkpoint("attention_unet_first")]
    both = load_checkpoint(save_checkpoint(tmp_path / "both", *combine(members, "both")))
    found = []
    for name in (backend, "torch"):
        with open_segmenter(both, device="cpu", backend=name) as segmenter:
            found.append(segmenter.segment(head).disagreement)
    ours, torchs = found
    assert ours is not None
    assert torchs is not None
    assert torchs.max() > 0.1
    assert np.abs(ours - torchs).mean() < 0.005
