"""From options, a configuration file and a checkpoint to one training configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.training import TrainingConfig

Architecture = Annotated[
    Literal["nested_unet", "attention_unet", "inception_unet", "unet3d"] | None,
    typer.Option("--model", help="Architecture.", show_default=False),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings as JSON; options go before it.", show_default=False),
]


def training_config(
    *,
    file: Path | None,
    loss: str | None = None,
    clahe: str | None = None,
    preprocessing: dict[str, Any] | None = None,
    **settings: Any,
) -> TrainingConfig:
    """The configuration of a run: options before the file, the file before the parent, the parent before defaults.

    Parameters
    ----------
    file : Path or None
        A :class:`metseg.training.TrainingConfig` as JSON; fields that are missing keep their default.
    loss : str or None
        Key of :data:`metseg.training.LOSSES`.
    clahe : {"only", "beside", "none"} or None
        Equalised slice in place of the plain one, beside it, or not at all.
    preprocessing : dict or None
        Fields of the preprocessing configuration; ``None`` stands for what was not asked for.
    **settings
        Fields of the training configuration, likewise; ``sequences`` also says what the network looks at.

    Raises
    ------
    DataError
        If the file is no JSON object, or a value is not possible; the message names the option.
    CheckpointError
        If the checkpoint to start from cannot be read.
    """
    from pydantic import ValidationError

    from metseg.training import LOSSES, TrainingConfig

    given = _given(settings)
    given["preprocessing"] = _given(preprocessing or {}) | _equalisation(clahe)
    if "sequences" in given:
        given["preprocessing"]["sequences"] = given["sequences"]
    if loss is not None:
        given["loss"] = LOSSES[loss].model_dump()
    content = {} if file is None else _read(file)
    if "held_out" in given:
        if "folds" in given:
            raise DataError("--folds and --held-out both say who is held out; choose one")
        content = {key: value for key, value in content.items() if key not in ("folds", "fold")}
    merged = _merged([content, given])
    if merged.get("init"):
        parent = _of_parent(merged["init"], merged.get("architecture"))
        if "sequences" in given:  # other images may show something else
            del parent["target"]
        merged = _merged([parent, content, given])
    if "architecture" not in merged:
        raise DataError("which network? Give --model, or --config or --init, which name one")
    default = TrainingConfig.model_fields["preprocessing"].default.model_dump()
    try:
        return TrainingConfig.model_validate(_merged([{"preprocessing": default}, merged]))
    except ValidationError as error:
        reasons = [": ".join(filter(None, [_option(e["loc"]), e["msg"]])) for e in error.errors()]
        raise DataError("; ".join(reasons)) from None


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not a configuration: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: not a configuration: a JSON object is expected")
    return content


def _equalisation(clahe: str | None) -> dict[str, Any]:
    from metseg.preprocessing import ClaheConfig

    match clahe:
        case None:
            return {}
        case "none":
            return {"clahe": None, "keep_plain": False}
        case _:
            return {"clahe": ClaheConfig().model_dump(), "keep_plain": clahe == "beside"}


def _of_parent(name_or_path: str, architecture: str | None) -> dict[str, Any]:
    """What a network trained further has in common with the one it starts from."""
    from metseg.training import load_parent

    parent, spec = load_parent(name_or_path)
    same = architecture in (None, spec.architecture)
    network = {"architecture": spec.architecture, "encoder": spec.encoder} if same else {}
    return {**network, "preprocessing": parent.card.preprocessing.model_dump(), "target": parent.card.target}


def _merged(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Later layers win, field by field; groups of settings are merged in their turn."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key in ("preprocessing", "augmentation", "loss", "inference") and isinstance(value, dict):
                value = merged.get(key, {}) | value
            merged[key] = value
    return merged


def _option(location: tuple[int | str, ...]) -> str:
    return f"--{'-'.join(map(str, location)).replace('_', '-')}" if location else ""
