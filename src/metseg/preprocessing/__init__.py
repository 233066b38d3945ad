"""From stored intensities to the network's input, and back: one config shared by training, inference and the viewer."""

from metseg.preprocessing.brain_grid import BrainGrid
from metseg.preprocessing.brain_shape import extraction_problem, head_voxels, likely_flips, stripped_brain
from metseg.preprocessing.config import BrainConfig, ClaheConfig, PreprocessingConfig
from metseg.preprocessing.enhancement import apply_clahe
from metseg.preprocessing.grid import Grid
from metseg.preprocessing.preprocessor import Preprocessor, neighbourhood, network_input

__all__ = [
    "BrainConfig",
    "BrainGrid",
    "ClaheConfig",
    "Grid",
    "PreprocessingConfig",
    "Preprocessor",
    "apply_clahe",
    "extraction_problem",
    "head_voxels",
    "likely_flips",
    "neighbourhood",
    "network_input",
    "stripped_brain",
]
