"""The networks, by name. Every one takes intensities in [0, 1] and returns logits on the same grid."""

from metseg.networks.registry import ARCHITECTURES, Architecture, NetworkSpec, SegmentationNetwork, build_network

__all__ = ["ARCHITECTURES", "Architecture", "NetworkSpec", "SegmentationNetwork", "build_network"]
