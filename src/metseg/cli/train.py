"""``metseg train``: a folder of masked slices in, a checkpoint with its card out."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metseg.cli.console import out, plain
from metseg.cli.options import Data, Device
from metseg.cli.progress import follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.training import TrainingConfig

_UNSET: dict[str, Any] = {"show_default": False}


def train(
    model: Annotated[
        Literal["nested_unet", "attention_unet", "inception_unet"], typer.Option("--model", help="Architecture.")
    ],
    data: Data,
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where checkpoint, card, split and log go.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the slices with lesion.")] = 50,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out to the same result as an unbroken one.")
    ] = False,
    device: Device = "auto",
    split: Annotated[Path | None, typer.Option(help="A split file to use instead of a random one.", **_UNSET)] = None,
    held_out: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Share of the patients held out (0.2).", **_UNSET)
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Another SMP encoder, or tu-NAME for timm's.", **_UNSET)] = None,
    encoder_weights: Annotated[
        str | None, typer.Option(help="none, bundled, imagenet (downloads) or a .safetensors file.", **_UNSET)
    ] = None,
    loss: Annotated[
        Literal["focal_dice_bce", "focal_dice", "bce_dice"], typer.Option(help="Losses that are added up.")
    ] = "focal_dice_bce",
    clahe: Annotated[
        Literal["only", "beside", "none"],
        typer.Option(help="Equalised slice in place of the plain one, beside it, or not at all."),
    ] = "only",
    neighbours: Annotated[
        int | None, typer.Option(min=0, max=8, help="Slices on either side that the network sees too (0).", **_UNSET)
    ] = None,
    normalisation: Annotated[
        Literal["percentile", "unit", "zscore"] | None, typer.Option(help="How intensities are scaled.", **_UNSET)
    ] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Longest side of a slice, pixels (256).", **_UNSET)] = None,
    crop: Annotated[
        int | None, typer.Option(min=64, help="Side of the training crops, a multiple of 32 (192).", **_UNSET)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Slices per step (16).", **_UNSET)] = None,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Steps of an epoch, in place of one pass.", **_UNSET)
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the decoder (0.001).", **_UNSET)] = None,
    synthetic_heads: Annotated[
        int | None, typer.Option(min=0, max=200, help="Synthetic heads added to the training patients.", **_UNSET)
    ] = None,
    validate_every: Annotated[int | None, typer.Option(min=1, help="Epochs between validations (1).", **_UNSET)] = None,
    data_source: Annotated[
        str | None, typer.Option(help="Where the images come from and their licence, for the card.", **_UNSET)
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides split, order, augmentation and random weights.")] = 0,
) -> None:
    """Train a network on images with masks, patient-wise split.

    --out receives model.safetensors with its card, split.json (may be edited before a first run), log.csv,
    curves.png, and the state that --resume continues from.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve whatever else runs here
    from metseg.training import train as run

    config = _config(
        architecture=model,
        epochs=epochs,
        held_out=held_out,
        encoder=encoder,
        encoder_weights=encoder_weights,
        loss=loss,
        clahe=clahe,
        preprocessing={"neighbours": neighbours, "normalisation": normalisation, "size": size},
        crop=crop,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        learning_rate=learning_rate,
        synthetic_heads=synthetic_heads,
        validate_every=validate_every,
        data_source=data_source,
        seed=seed,
    )
    command = shlex.join(["metseg", *sys.argv[1:]])
    events = run(config, data, out_, resume=resume, device=device, split=split, command=command)
    plain(out(), str(follow(events, f"training {model}")))


def _config(*, loss: str, clahe: str, preprocessing: dict[str, Any], **settings: Any) -> TrainingConfig:
    """What was asked for as a configuration; what was not asked for keeps its default there.

    Raises
    ------
    DataError
        If a value is not possible; the message names the option.
    """
    from pydantic import ValidationError

    from metseg.training import LOSSES, TrainingConfig

    settings = {key: value for key, value in settings.items() if value is not None}
    default = TrainingConfig.model_fields["preprocessing"].default.model_dump()
    equalisation = {
        "only": {"keep_plain": False},
        "beside": {"keep_plain": True},
        "none": {"keep_plain": False, "clahe": None},
    }
    asked = {key: value for key, value in preprocessing.items() if value is not None}
    chosen = default | asked | equalisation[clahe]
    try:
        return TrainingConfig.model_validate({**settings, "loss": LOSSES[loss], "preprocessing": chosen})
    except ValidationError as error:
        reasons = [f"--{'-'.join(map(str, e['loc'])).replace('_', '-')}: {e['msg']}" for e in error.errors()]
        raise DataError("; ".join(reasons)) from None
