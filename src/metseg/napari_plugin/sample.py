"""Sample data: the synthetic head."""

from __future__ import annotations

from metseg.napari_plugin.layers import LayerData, target_layers


def synthetic_head() -> list[LayerData]:
    """A synthetic head with lesions and the true outline of each target, as layers."""
    from metseg.synthetic import synthetic_targets

    return target_layers(synthetic_targets(seed=0))
