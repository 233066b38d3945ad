"""Weights and the card that says what they are."""

from metseg.checkpoints.card import ModelCard, TrainingRecord, card_markdown
from metseg.checkpoints.store import Checkpoint, ModelInfo, list_models, load_checkpoint, read_card, save_checkpoint

__all__ = [
    "Checkpoint",
    "ModelCard",
    "ModelInfo",
    "TrainingRecord",
    "card_markdown",
    "list_models",
    "load_checkpoint",
    "read_card",
    "save_checkpoint",
]
