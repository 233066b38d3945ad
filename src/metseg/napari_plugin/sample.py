"""Sample data: the synthetic head."""

from __future__ import annotations

from metseg.napari_plugin.layers import LayerData, study_layers


def synthetic_head() -> list[LayerData]:
    """A synthetic head with lesions and their true outline, as layers."""
    from metseg.synthetic import synthetic_study

    return study_layers(synthetic_study(seed=0))
