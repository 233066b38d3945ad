"""Training a network further on corrected cases, and the check that the new one must pass before it is offered."""

from metseg.retraining.config import RetrainingConfig, command_arguments, read_config
from metseg.retraining.promotion import ComparedScan, ModelScores, PromotionCheck, promote, read_promotion_check
from metseg.retraining.run import retrain
from metseg.retraining.runs import new_run_folder, newest_run

__all__ = [
    "PromotionCheck",
    "ComparedScan",
    "ModelScores",
    "RetrainingConfig",
    "promote",
    "command_arguments",
    "new_run_folder",
    "newest_run",
    "read_config",
    "read_promotion_check",
    "retrain",
]
