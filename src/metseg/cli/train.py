"""``metseg train``: a folder of masked slices in, a checkpoint with its card out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from metseg.cli.console import echo, out
from metseg.cli.options import Data, Device, Labels, Rules, data_of, sequences_of
from metseg.cli.progress import follow, stopping_cleanly
from metseg.cli.recipe import Architecture, ConfigFile, training_config
from metseg.events import drain


def _in(panel: str) -> dict[str, Any]:
    """Options of a panel of the help page, whose default is told in words."""
    return {"show_default": False, "rich_help_panel": panel}


_WHO: dict[str, Any] = _in("Who is trained on")
_START: dict[str, Any] = _in("Network and first weights")
_INPUT: dict[str, Any] = _in("What the network sees")
_LENGTH: dict[str, Any] = _in("How it is trained")


def train(
    ctx: typer.Context,
    data: Data,
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where checkpoint, card, split and log go.")],
    model: Architecture = None,
    config: ConfigFile = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out to the same result as an unbroken one.")
    ] = False,
    device: Device = "auto",
    data_source: Annotated[
        str | None,
        typer.Option(help="Where the images come from and their licence, for the card.", show_default=False),
    ] = None,
    rules: Rules = None,
    labels: Labels = None,
    licence: Annotated[
        str | None,
        typer.Option(
            metavar="SPDX",
            help="Licence of the images, and so of the weights: cc-by-4.0; that of --init unless given.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[float | None, typer.Option(min=0, max=0.9, help="Share held out (0.2).", **_WHO)] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Parts of a cross-validation.", **_WHO)] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="Part that is held out, from 0.", **_WHO)] = None,
    split: Annotated[Path | None, typer.Option(help="A split file instead of a random one.", **_WHO)] = None,
    background: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Patients whose masks outline something else: healthy outside them, left out inside.",
            **_WHO,
        ),
    ] = None,
    background_rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As --rules, for --background; may hold labels.", **_WHO)
    ] = None,
    single_slices: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Slices with masks that are no volume, trained on beside the others.", **_WHO),
    ] = None,
    single_slices_rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As --rules, for --single-slices; may hold labels.", **_WHO)
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Preprocessed images are kept here, so that the next run need not make them again.",
            **_WHO,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides split (not folds), order, augmentation, random weights (0).", **_WHO)
    ] = None,
    synthetic_heads: Annotated[
        int | None, typer.Option(min=0, max=200, help="Synthetic heads added to the training patients (0).", **_WHO)
    ] = None,
    simulated_lesions: Annotated[
        float | None,
        typer.Option(min=0, max=10, help="Copies of each head with simulated metastases, on average (0).", **_WHO),
    ] = None,
    init: Annotated[
        str | None, typer.Option(metavar="NAME_OR_PATH", help="Start from this checkpoint's weights.", **_START)
    ] = None,
    freeze_encoder: Annotated[
        int | None, typer.Option(min=0, help="First epochs in which the encoder does not learn (0).", **_START)
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Another SMP encoder, or tu-NAME for timm's.", **_START)] = None,
    encoder_weights: Annotated[
        str | None,
        typer.Option(help="none, bundled, imagenet (downloads) or a .safetensors file (bundled, if any).", **_START),
    ] = None,
    clahe: Annotated[
        Literal["only", "beside", "none"] | None,
        typer.Option(help="Equalised slice in place of the plain one (only), beside it, or none (none).", **_INPUT),
    ] = None,
    neighbours: Annotated[
        int | None, typer.Option(min=0, max=8, help="Slices on either side that the network sees too (0).", **_INPUT)
    ] = None,
    normalisation: Annotated[
        Literal["median", "percentile", "unit", "zscore"] | None,
        typer.Option(help="How intensities are scaled (median).", **_INPUT),
    ] = None,
    sequences: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Which sequence each channel of the files is; those are what the network looks at (pre-contrast, "
            "flair, post-contrast).",
            **_INPUT,
        ),
    ] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Longest side of a slice, pixels (256).", **_INPUT)] = None,
    crop: Annotated[
        int | None, typer.Option(min=64, help="Side of the training crops, a multiple of 32 (192).", **_INPUT)
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the lesion slices (16).", **_LENGTH)] = None,
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Steps of an epoch, in place of one pass.", **_LENGTH)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Slices per step (16).", **_LENGTH)] = None,
    compile_network: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Let torch compile the network: minutes before the first step, shorter steps; needs a C++ compiler.",
            **_LENGTH,
        ),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the decoder (0.001).", **_LENGTH)] = None,
    encoder_learning_rate: Annotated[float | None, typer.Option(help="Of the encoder (0.0003).", **_LENGTH)] = None,
    loss: Annotated[
        Literal["focal_dice_bce", "focal_dice", "bce_dice"] | None,
        typer.Option(help="Losses that are added up (focal_dice_bce).", **_LENGTH),
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=1, help="Epochs between validations; the last is always one (1).", **_LENGTH)
    ] = None,
) -> None:
    """Train a network on images with masks, patient-wise split.

    --out receives model.safetensors with its card, split.json (may be edited before a first run), log.csv,
    curves.png, and the state that --resume continues from.

    What is not given is taken from --config (a TrainingConfig as JSON), then from the checkpoint of --init
    (architecture, encoder, preprocessing), then from the defaults in brackets.

    Ctrl-C or SIGTERM ends it after the step in progress; the same command with --resume goes on from there.

    On several GPUs: torchrun --nproc-per-node N -m metseg.cli train ..., see docs/training.md.
    """
    from metseg.training import TrainingConfig, join_processes, keep_freed_memory
    from metseg.training import train as run

    settings = {name: value for name, value in ctx.params.items() if name in TrainingConfig.model_fields}
    settings |= {"architecture": model, "sequences": sequences_of(sequences), "compile": compile_network}
    looks = {"neighbours": neighbours, "normalisation": normalisation, "size": size}
    chosen = training_config(file=config, clahe=clahe, preprocessing=looks, **settings)
    keep_freed_memory()
    processes, own_device = join_processes(device)
    command = shlex.join([*processes.command, *sys.argv[1:]])
    hint = "the same command with --resume goes on" if processes.first else ""
    with stopping_cleanly(hint, processes.agreed_signal) as stoppable:
        events = stoppable(
            run(
                chosen,
                data_of(data, rules, labels),
                out_,
                resume=resume,
                device=own_device,
                split=split,
                background=None if background is None else data_of(background, background_rules),
                single_slices=None if single_slices is None else data_of(single_slices, single_slices_rules),
                cache=cache,
                command=command,
                processes=processes,
            )
        )
        try:
            if processes.first:
                echo(out(), str(follow(events, f"training {chosen.architecture}")))
            else:
                drain(events)
        except typer.Exit:  # stopped: all wait until the first has saved the state
            processes.leave()
            raise
