"""Weights and the card that says what they are."""

from metseg.checkpoints.card import InferenceConfig, ModelCard, TrainingRecord, card_markdown
from metseg.checkpoints.store import (
    Checkpoint,
    ModelInfo,
    combine,
    list_models,
    load_checkpoint,
    read_card,
    replace_card,
    save_checkpoint,
    save_ensemble,
)

__all__ = [
    "Checkpoint",
    "InferenceConfig",
    "ModelCard",
    "ModelInfo",
    "TrainingRecord",
    "card_markdown",
    "combine",
    "list_models",
    "load_checkpoint",
    "read_card",
    "replace_card",
    "save_checkpoint",
    "save_ensemble",
]
