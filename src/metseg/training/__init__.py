"""Training a network on checked masks, and measuring it on patients it has not seen."""

from metseg.training.allocation import keep_freed_memory
from metseg.training.calibration import LogitCounts, calibrate, fit_temperature, write_temperature
from metseg.training.config import LOSSES, AugmentationConfig, LossConfig, TrainingConfig
from metseg.training.distributed import Processes, join_processes
from metseg.training.evaluation import evaluate
from metseg.training.fit import card_scores, train
from metseg.training.simulation import SimulatedHead, SimulationScore, score_simulated, simulate_heads
from metseg.training.split import Split, make_folds, make_split, read_split, write_split
from metseg.training.transfer import load_parent
from metseg.training.tuning import SearchSpace, TuningConfig, TuningResult, tune

__all__ = [
    "LOSSES",
    "AugmentationConfig",
    "LogitCounts",
    "LossConfig",
    "Processes",
    "SearchSpace",
    "SimulatedHead",
    "SimulationScore",
    "Split",
    "TrainingConfig",
    "TuningConfig",
    "TuningResult",
    "calibrate",
    "card_scores",
    "evaluate",
    "fit_temperature",
    "join_processes",
    "keep_freed_memory",
    "load_parent",
    "make_folds",
    "make_split",
    "read_split",
    "score_simulated",
    "simulate_heads",
    "train",
    "tune",
    "write_split",
    "write_temperature",
]
