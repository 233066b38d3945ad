"""Networks brought into OpenVINO's form and checked against PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from metseg.checkpoints import Checkpoint
from metseg.inference.agreement import disagreement_with, reference_heads
from metseg.inference.openvino_network import PrecisionChoice, compile_network, load_openvino, precisions
from metseg.inference.probability_graph import ProbabilityGraph, example_images


def convert_into(path: Path, checkpoint: Checkpoint) -> PrecisionChoice:
    """Convert a network into ``path``, and choose the fastest precision of this processor that passes the check."""
    name = checkpoint.card.name
    try:
        model = convert_network(checkpoint.network(), checkpoint.card.preprocessing.channels)
    except RuntimeError as error:
        reason = f"{name} has no OpenVINO form: {str(error).partition(chr(10))[0]}"
        return PrecisionChoice(precision="", reason=reason)
    load_openvino().save_model(model, path, compress_to_fp16=False)  # its norms would be of fp16, and f32 not exact
    heads = reference_heads(checkpoint)
    threshold = checkpoint.card.postprocessing.threshold
    failures: list[str] = []
    for precision in precisions():
        failure = disagreement_with(heads, threshold, compile_network(path, precision).probabilities)
        if not failure:
            return PrecisionChoice(precision=precision, reason=_reason(name, failures))
        failures.append(f"in {precision} {failure}")
    return PrecisionChoice(precision="", reason=_reason(name, failures))


def _reason(name: str, failures: list[str]) -> str:
    return f"{name}: its OpenVINO form {', '.join(failures)}" if failures else ""


def convert_network(network: nn.Module, channels: int) -> Any:
    """An ``openvino.Model`` of a network with so many input channels, for any number of slices of any usual size."""
    openvino = load_openvino()
    with warnings.catch_warnings(), torch.inference_mode():
        for kind in (torch.jit._trace.TracerWarning, FutureWarning):
            warnings.simplefilter("ignore", kind)
        return openvino.convert_model(
            ProbabilityGraph(network),
            example_input=example_images(channels),
            input=[openvino.PartialShape([-1, channels, -1, -1])],
        )
