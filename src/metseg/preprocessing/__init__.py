"""From stored intensities to the network's input, and back: one config shared by training, inference and the viewer."""

from metseg.preprocessing.brain_grid import BrainGrid
from metseg.preprocessing.brain_shape import (
    MIN_VOLUME_SLICES,
    USUAL_FLIPS,
    Flips,
    extraction_problem,
    head_voxels,
    likely_flips,
    likeness,
    stripped_brain,
)
from metseg.preprocessing.config import BrainConfig, Clahe, ClaheConfig, PreprocessingConfig
from metseg.preprocessing.display import display_window
from metseg.preprocessing.grid import Grid
from metseg.preprocessing.padding import raise_padding
from metseg.preprocessing.preprocessor import Preprocessor, apply_clahe, neighbourhood, network_input

__all__ = [
    "MIN_VOLUME_SLICES",
    "USUAL_FLIPS",
    "BrainConfig",
    "BrainGrid",
    "Clahe",
    "ClaheConfig",
    "Flips",
    "Grid",
    "PreprocessingConfig",
    "Preprocessor",
    "apply_clahe",
    "display_window",
    "extraction_problem",
    "head_voxels",
    "likely_flips",
    "likeness",
    "neighbourhood",
    "network_input",
    "raise_padding",
    "stripped_brain",
]
