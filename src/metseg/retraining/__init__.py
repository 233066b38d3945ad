"""Training a network further on corrected cases, and the gate that the new one must pass before it is offered."""

from metseg.retraining.adoption import adopt
from metseg.retraining.config import RetrainingConfig, command_arguments, read_config
from metseg.retraining.gate import Gate, GateRow, ModelScores, read_gate
from metseg.retraining.run import retrain
from metseg.retraining.runs import RetrainingRun, new_run_folder, newest_run

__all__ = [
    "Gate",
    "GateRow",
    "ModelScores",
    "RetrainingConfig",
    "RetrainingRun",
    "adopt",
    "command_arguments",
    "new_run_folder",
    "newest_run",
    "read_config",
    "read_gate",
    "retrain",
]
