"""``metseg export-model``: a network for those who run it with other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metseg.cli.console import out, plain
from metseg.cli.progress import follow


def export_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name that `metseg models` lists, or a checkpoint.")],
    to: Annotated[Literal["onnx", "openvino"], typer.Option("--to", help="What will run it.")],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")],
) -> None:
    """Write a network as ONNX or OpenVINO, with a description of what comes before and after it.

    The file is compared with PyTorch on synthetic heads first; one that answers otherwise is not written. An ensemble
    becomes one network. README.md and network.json say sequences, normalisation, size and channels of the input,
    threshold and peak, target, licence and hashes; example.npz has images with the probabilities to expect.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.inference.model_export import exporting

    plain(out(), str(follow(exporting(load_checkpoint(model), to, out_), "converting")))
