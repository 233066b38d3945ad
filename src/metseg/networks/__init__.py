"""The networks, by name. Every one takes intensities in [0, 1] and returns logits on the same grid.

What describes a network is imported at once; what builds one brings torch, and is imported when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metseg.networks.spec import ARCHITECTURES, EnsembleSpec, NetworkSpec

if TYPE_CHECKING:
    from metseg.networks.encoders import default_encoder_weights
    from metseg.networks.ensemble import Ensemble, build_ensemble
    from metseg.networks.registry import SegmentationNetwork, build_network, set_prior

_WITH_TORCH = {
    "default_encoder_weights": "encoders",
    "Ensemble": "ensemble",
    "build_ensemble": "ensemble",
    "SegmentationNetwork": "registry",
    "build_network": "registry",
    "set_prior": "registry",
}

__all__ = [
    "ARCHITECTURES",
    "Ensemble",
    "EnsembleSpec",
    "NetworkSpec",
    "SegmentationNetwork",
    "build_ensemble",
    "build_network",
    "default_encoder_weights",
    "set_prior",
]


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(f"metseg.networks.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
