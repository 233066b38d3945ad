"""ONNX Runtime: the network as one ONNX graph, on the CPU and on what the installed build of it has a provider for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from metseg.errors import MetsegError, require_packages
from metseg.inference.converted import ConvertedBackend, Planes, RunNetwork
from metseg.inference.devices import available_devices
from metseg.inference.threads import THREADS

if TYPE_CHECKING:
    import torch

#: Version of ONNX's operators: runtimes have it since 2023.
OPSET: Final = 18
INPUT: Final = "images"
OUTPUTS: Final = ("probabilities", "disagreement")

#: What runs on each kind of device; ``dml`` is DirectML, on Windows.
_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}


class OnnxBackend(ConvertedBackend):
    """ONNX Runtime on the CPU, CUDA, DirectML or CoreML, in full precision."""

    form, file = "ONNX", "network.onnx"

    @staticmethod
    def require(device: str) -> None:
        """See :meth:`ConvertedBackend.require`."""
        devices = onnx_devices()
        if device.removesuffix(":0") not in devices:
            raise MetsegError(f"ONNX Runtime as installed here runs on {', '.join(devices)}; the device is {device}")

    @staticmethod
    def runtime() -> str:
        """See :meth:`ConvertedBackend.runtime`."""
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    @staticmethod
    def precisions(device: str) -> tuple[str, ...]:
        """See :meth:`ConvertedBackend.precisions`."""
        return ("f32",)

    @staticmethod
    def write(graph: torch.jit.ScriptModule, images: torch.Tensor, path: Path) -> None:
        """See :meth:`ConvertedBackend.write`.

        Of a trace: torch's newer exporter solves for the shapes that the encoder's padding depends on, which takes
        minutes.
        """
        import torch

        torch.onnx.export(
            graph,
            (images,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {0: "slices", 2: "height", 3: "width"}}
            | {output: {0: "slices", 1: "height", 2: "width"} for output in OUTPUTS},
        )

    @staticmethod
    def open(path: Path, precision: str, device: str = "cpu") -> RunNetwork:
        """See :meth:`ConvertedBackend.open`; MetsegError if the device's provider does not start."""
        import onnxruntime

        kind, _, index = device.partition(":")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS.count
        options.log_severity_level = 3  # errors
        options.enable_mem_pattern = kind != "dml"  # DirectML has none
        settings: dict[str, Any] = {"device_id": int(index or 0), "use_tf32": 0} if kind == "cuda" else {}
        providers = [(_PROVIDERS[kind], settings)] + ([] if kind == "cpu" else [(_PROVIDERS["cpu"], {})])
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        if _PROVIDERS[kind] not in session.get_providers():
            raise MetsegError(f"ONNX Runtime cannot use {device} here")

        def run(images: Planes) -> tuple[Planes, Planes]:
            planes, apart = session.run(OUTPUTS, {INPUT: images})
            return planes, apart

        return run


def onnx_devices() -> list[str]:
    """Devices that the installed build of ONNX Runtime has a provider for, the fastest first."""
    require_packages(("onnx", "onnxruntime"), "onnx")
    import onnxruntime

    offered = onnxruntime.get_available_providers()
    *accelerators, cpu = available_devices()
    return [one for one in (*accelerators, "dml", cpu) if _PROVIDERS[one.partition(":")[0]] in offered]
