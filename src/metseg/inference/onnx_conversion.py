"""Networks brought into ONNX's form and checked against PyTorch."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.errors import MissingExtraError
from metseg.inference.agreement import disagreement_with, reference_heads
from metseg.inference.backend import ConversionError
from metseg.inference.onnx_network import INPUT, OUTPUTS, open_network
from metseg.inference.probability_graph import ProbabilityGraph, example_images

#: Version of ONNX's operators: runtimes have it since 2023.
OPSET: Final = 18


def convert_into(path: Path, checkpoint: Checkpoint) -> None:
    """Convert a network into ``path`` and check what ONNX Runtime makes of it on the CPU.

    Raises
    ------
    ConversionError
        If the network has no ONNX form, or does not answer there as the original does.
    MissingExtraError
        If ONNX or ONNX Runtime is not installed.
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "onnx")
    card = checkpoint.card
    try:
        convert_network(checkpoint.network(), card.preprocessing.channels, path)
    except RuntimeError as error:
        raise ConversionError(f"{card.name} has no ONNX form: {str(error).partition(chr(10))[0]}") from error
    network = open_network(path)
    if failure := disagreement_with(reference_heads(checkpoint), card.postprocessing.threshold, network.probabilities):
        raise ConversionError(f"{card.name}: its ONNX form {failure}")


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
