"""Lesions: the mask from probabilities, its components, and what can be measured of them."""

from metseg.lesions.components import label_lesions
from metseg.lesions.postprocessing import PostprocessingConfig, mask_from_probabilities

__all__ = ["PostprocessingConfig", "label_lesions", "mask_from_probabilities"]
