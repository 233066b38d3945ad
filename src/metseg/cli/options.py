"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from metseg.checkpoints import Checkpoint
    from metseg.lesions import PostprocessingConfig

Model = Annotated[
    str, typer.Option("--model", metavar="NAME_OR_PATH", help="A name that `metseg models` lists, or a checkpoint.")
]

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of patients with images and masks.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Probability from which on a voxel is lesion.", show_default=False),
]
Smallest = Annotated[
    int | None, typer.Option("--smallest", min=0, help="Lesions of fewer voxels are dropped.", show_default=False)
]
Clahe = Annotated[
    Literal["on", "off", "average"] | None,
    typer.Option(
        "--clahe",
        help="Show the network equalised slices (on), plain ones (off), or both and average its answers (average); "
        "what its card says unless given.",
        show_default=False,
    ),
]


def postprocessing_of(checkpoint: Checkpoint, threshold: float | None, smallest: int | None) -> PostprocessingConfig:
    """The model's own post-processing, with what was asked for in its place."""
    asked = {"threshold": threshold, "smallest": smallest}
    return checkpoint.card.postprocessing.model_copy(
        update={key: value for key, value in asked.items() if value is not None}
    )
