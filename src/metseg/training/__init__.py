"""Training a network on checked masks, and measuring it on patients it has not seen."""

from metseg.training.allocation import keep_freed_memory
from metseg.training.config import LOSSES, AugmentationConfig, LossConfig, TrainingConfig
from metseg.training.evaluation import Evaluation, evaluate
from metseg.training.fit import EpochFinished, train
from metseg.training.split import Split, make_folds, make_split, read_split, write_split

__all__ = [
    "LOSSES",
    "AugmentationConfig",
    "EpochFinished",
    "Evaluation",
    "LossConfig",
    "Split",
    "TrainingConfig",
    "evaluate",
    "keep_freed_memory",
    "make_folds",
    "make_split",
    "read_split",
    "train",
    "write_split",
]
