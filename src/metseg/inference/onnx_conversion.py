"""Networks brought into ONNX's form and checked against PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.errors import require_packages
from metseg.inference.agreement import disagreement_with, reference_heads
from metseg.inference.backend import ConversionError
from metseg.inference.probability_graph import ProbabilityGraph, example_images
from metseg.inference.threads import THREADS

#: Version of ONNX's operators: runtimes have it since 2023.
OPSET: Final = 18
INPUT: Final = "images"
OUTPUTS: Final = ("probabilities", "disagreement")

Planes = npt.NDArray[np.float32]


def convert_into(path: Path, checkpoint: Checkpoint) -> None:
    """Convert a network into ``path`` and check what ONNX Runtime makes of it on the CPU.

    Raises
    ------
    ConversionError
        If the network has no ONNX form, or does not answer there as the original does.
    MissingExtraError
        If ONNX or ONNX Runtime is not installed.
    """
    require_packages(("onnx", "onnxruntime"), "onnx")
    card = checkpoint.card
    try:
        convert_network(checkpoint.network(), card.preprocessing.channels, path)
    except RuntimeError as error:
        raise ConversionError(f"{card.name} has no ONNX form: {str(error).partition(chr(10))[0]}") from error
    run = _probabilities_of(path)
    if failure := disagreement_with(reference_heads(checkpoint), card.postprocessing.threshold, run):
        raise ConversionError(f"{card.name}: its ONNX form {failure}")


def _probabilities_of(path: Path) -> Callable[[Planes], Planes]:
    """What ONNX Runtime makes of a network's file on the CPU, as a function of images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS.count
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: Planes) -> Planes:
        planes: Planes = session.run(OUTPUTS[:1], {INPUT: np.ascontiguousarray(images, np.float32)})[0]
        return planes

    return run


def convert_network(network: nn.Module, channels: int, path: Path) -> None:
    """Write a network with so many input channels, for any number of slices of any usual size.

    Traced: torch's newer exporter solves for the shapes that the encoder's padding depends on, which takes minutes.
    """
    graph, images = ProbabilityGraph(network), example_images(channels)
    with warnings.catch_warnings(), torch.inference_mode():
        for kind in (torch.jit._trace.TracerWarning, DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        traced = torch.jit.trace(graph, images, check_trace=False)  # type: ignore[no-untyped-call]
        torch.onnx.export(
            traced,
            (images,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {0: "slices", 2: "height", 3: "width"}}
            | {output: {0: "slices", 1: "height", 2: "width"} for output in OUTPUTS},
        )
