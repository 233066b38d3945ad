"""Which precision a processor is faster in."""

from __future__ import annotations

import pytest
import torch

from metseg.inference import openvino_backend
from metseg.inference.devices import autocast_dtype, processor_features
from metseg.inference.openvino_backend import OpenVinoBackend, can_use, load_openvino

AMD, XEON, XEON_WITHOUT_AMX = (
    {"avx512_bf16"},
    {"avx512_bf16", "avx512_fp16", "amx_bf16"},
    {"avx512_bf16", "avx512_fp16"},
)


@pytest.mark.parametrize(
    ("features", "faster"), [(set(), False), ({"avx2"}, False), (AMD, True), (XEON, True), (XEON_WITHOUT_AMX, False)]
)
def test_bf16_is_used_where_the_processor_is_faster_with_it(
    features: set[str], faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities = {"avx512_bf16": False, "avx512_fp16": False, "amx_bf16": False} | dict.fromkeys(features, True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert autocast_dtype("cpu") == (torch.bfloat16 if faster else None)
    if not features or not can_use("cpu"):  # OpenVINO decides where it is not known what the processor has
        return
    monkeypatch.setattr(openvino_backend, "processor_features", lambda: features)
    has_bf16 = "BF16" in load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precisions = OpenVinoBackend.precisions.__wrapped__("cpu")  # type: ignore[attr-defined]
    assert precisions == (("bf16", "f32") if faster and has_bf16 else ("f32",))


def test_linux_and_torch_agree_on_what_the_processor_has() -> None:
    features = processor_features()
    if not features:
        pytest.skip("this system does not say")
    capabilities = torch.cpu.get_capabilities()
    for name in ("avx512_bf16", "avx512_fp16", "amx_bf16"):
        assert (name in features) == capabilities[name]
