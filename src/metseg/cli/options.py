"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from metseg.lesions import Target
    from metseg.study import DataFolder, Sequence

Model = Annotated[
    str,
    typer.Option("--model", metavar="NAME_OR_PATH", help="auto, a name that `metseg models` lists, or a checkpoint."),
]

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of patients with images and masks.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Backend = Annotated[
    Literal["auto", "torch", "openvino", "onnx"],
    typer.Option("--backend", envvar="METSEG_BACKEND", help="What runs the network.", show_envvar=True),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Let the networks of this metseg server outline, and load none here; token in METSEG_TOKEN or keyring.",
        show_default=False,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Probability from which on a voxel is lesion.", show_default=False),
]
MinLesionVoxels = Annotated[
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

Sequences = Annotated[
    str | None,
    typer.Option(
        "--sequences",
        metavar="NAME,...",
        help="Which sequence each channel of the files is: pre-contrast, flair, post-contrast, t2, other, unknown.",
        show_default=False,
    ),
]
TargetName = Annotated[
    Literal["flair-abnormality", "enhancing-lesion", "both"] | None,
    typer.Option("--target", help="What to outline; by default what the sequences show best.", show_default=False),
]


Rules = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        metavar="FILE",
        help="What files are by their names (TOML), before the usual rules; unless given, metseg.toml in the folder.",
        show_default=False,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="N,...",
        help="Values of the masks that are lesion; all but 0 if not given.",
        show_default=False,
    ),
]


def data_of(
    folder: Path, rules: Path | None, labels: str | None = None, sequences: str | None = None
) -> Path | DataFolder:
    """The folder with what ``--rules``, ``--labels`` and ``--sequences`` say of it."""
    from metseg.study import DataFolder, read_rules

    if rules is None and labels is None and sequences is None:
        return folder
    read = None if rules is None else read_rules(rules)
    return DataFolder(folder, read, sequences_of(sequences)).with_labels(labels_of(labels))


def labels_of(text: str | None) -> tuple[int, ...] | None:
    """The values of masks that ``--labels`` names."""
    from metseg.study import parse_labels

    return None if text is None else parse_labels(text)


def sequences_of(text: str | None) -> tuple[Sequence, ...] | None:
    """The sequences that ``--sequences`` names."""
    from metseg.study import parse_sequences

    return None if text is None else parse_sequences(text)


def targets_of(name: str | None) -> tuple[Target, ...]:
    """The targets that ``--target`` asks for; none if it was not given."""
    from metseg.lesions import TargetChoice

    return () if name is None else TargetChoice(name).targets
