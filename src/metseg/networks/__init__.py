"""The networks, by name. Every one takes intensities in [0, 1] and returns logits on the same grid."""

from metseg.networks.encoders import default_encoder_weights
from metseg.networks.ensemble import Ensemble, EnsembleSpec, build_ensemble
from metseg.networks.registry import (
    ARCHITECTURES,
    Architecture,
    NetworkSpec,
    SegmentationNetwork,
    build_network,
    set_prior,
)

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Ensemble",
    "EnsembleSpec",
    "NetworkSpec",
    "SegmentationNetwork",
    "build_ensemble",
    "build_network",
    "default_encoder_weights",
    "set_prior",
]
