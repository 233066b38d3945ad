"""OpenVINO: the network as one graph on an x86 CPU, several times as fast there as PyTorch."""

from __future__ import annotations

import platform
import sys
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from metseg.errors import MetsegError
from metseg.inference.converted import ConvertedBackend, Planes, RunNetwork
from metseg.inference.devices import has_fast_bf16, processor_features
from metseg.inference.threads import THREADS

if TYPE_CHECKING:
    import torch


class OpenVinoBackend(ConvertedBackend):
    """OpenVINO on the CPU, in bf16 where the processor is faster with it and the network is as exact."""

    form, file = "OpenVINO", "network.xml"

    @staticmethod
    def require(device: str) -> None:
        """See :meth:`ConvertedBackend.require`."""
        if not can_use(device):
            raise MetsegError(
                f"OpenVINO runs on x86 CPUs where it is installed (pip install openvino); the device is {device}"
            )

    @staticmethod
    def runtime() -> str:
        """See :meth:`ConvertedBackend.runtime`."""
        return f"openvino {version('openvino').partition('-')[0]}"

    @staticmethod
    @cache
    def precisions(device: str) -> tuple[str, ...]:
        """See :meth:`ConvertedBackend.precisions`; found once, for it starts the whole plugin."""
        has_bf16 = "BF16" in load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        features = processor_features()
        return ("bf16", "f32") if has_bf16 and (not features or has_fast_bf16(features)) else ("f32",)

    @staticmethod
    def write(graph: torch.jit.ScriptModule, images: torch.Tensor, path: Path) -> None:
        """See :meth:`ConvertedBackend.write`."""
        openvino = load_openvino()
        shape = openvino.PartialShape([-1, images.shape[1], -1, -1])
        model = openvino.convert_model(graph, example_input=images, input=[shape])
        openvino.save_model(model, path, compress_to_fp16=False)  # its norms would be of fp16, and f32 not exact

    @staticmethod
    def open(path: Path, precision: str, device: str = "cpu") -> RunNetwork:
        """See :meth:`ConvertedBackend.open`."""
        network = CompiledNetwork(path, precision)

        def run(images: Planes) -> tuple[Planes, Planes]:
            outputs = network(images)
            return np.asarray(outputs[0], np.float32), np.asarray(outputs[1], np.float32)

        return run


def can_use(device: str) -> bool:
    """Whether ``device`` is an x86 CPU and OpenVINO is installed."""
    return device == "cpu" and platform.machine().lower() in {"x86_64", "amd64"} and find_spec("openvino") is not None


def load_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report every import and conversion to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it fails, which is expected
    import openvino

    return cast(ModuleType, openvino)


class CompiledNetwork:
    """A network in a file, compiled for as many threads as :data:`THREADS` allows, and anew when these change."""

    def __init__(self, path: Path, precision: str) -> None:
        self._path, self._precision = path, precision
        self._threads = 0
        self._compiled = self._compile()

    def __call__(self, images: Planes) -> Any:
        """What OpenVINO answers, by the number of the output."""
        if self._threads != THREADS.count:
            self._compiled = self._compile()
        return self._compiled(images)

    def _compile(self) -> Any:
        self._threads = THREADS.count
        settings = {
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": self._precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        return load_openvino().Core().compile_model(self._path, "CPU", settings)
