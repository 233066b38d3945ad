"""Weights and the card that describes them."""

from metseg.checkpoints.card import CorrectedCases, InferenceConfig, ModelCard, TrainingRecord, card_markdown
from metseg.checkpoints.choice import RECOMMENDED, card_of, choose_models, misfit, model_card
from metseg.checkpoints.combining import average_weights, combine, descend_from_each_other
from metseg.checkpoints.comparable import Standing
from metseg.checkpoints.store import (
    Checkpoint,
    ModelInfo,
    list_models,
    load_checkpoint,
    read_card,
    replace_card,
    save_checkpoint,
    save_ensemble,
)

__all__ = [
    "RECOMMENDED",
    "Checkpoint",
    "CorrectedCases",
    "InferenceConfig",
    "ModelCard",
    "ModelInfo",
    "Standing",
    "TrainingRecord",
    "average_weights",
    "card_markdown",
    "card_of",
    "choose_models",
    "combine",
    "descend_from_each_other",
    "list_models",
    "load_checkpoint",
    "misfit",
    "model_card",
    "read_card",
    "replace_card",
    "save_checkpoint",
    "save_ensemble",
]
