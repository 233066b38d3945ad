"""From stored intensities to the network's input, and back: one config shared by training, inference and the viewer."""

from metseg.preprocessing.config import Clahe, ClaheConfig, PreprocessingConfig
from metseg.preprocessing.enhancement import apply_clahe
from metseg.preprocessing.grid import Grid
from metseg.preprocessing.preprocessor import Preprocessor, neighbourhood, network_input

__all__ = [
    "Clahe",
    "ClaheConfig",
    "Grid",
    "PreprocessingConfig",
    "Preprocessor",
    "apply_clahe",
    "neighbourhood",
    "network_input",
]
