"""A card shows how a model does by patient and by size, and older cards stay readable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import ModelCard, card_markdown, load_checkpoint
from metseg.metrics import score_scan, summarise
from metseg.networks import NetworkSpec
from metseg.preprocessing import PreprocessingConfig
from metseg.training import card_scores


def card(scores: dict[str, dict[str, object]]) -> ModelCard:
    """Kept as JSON in between, as a checkpoint does."""
    made = ModelCard(
        name="m", network=NetworkSpec.of("attention_unet"), preprocessing=PreprocessingConfig(), scores=scores
    )
    return ModelCard.model_validate_json(made.model_dump_json())


def test_scores_by_patient_and_by_size_stand_in_the_card_with_intervals() -> None:
    large = np.zeros((4, 20, 20), np.uint8)
    large[1:3, 2:14, 2:14] = 1
    small = np.zeros_like(large)
    small[1:3, 2:4, 2:4] = 1
    scans = [score_scan("a", large, large), score_scan("b", small, np.zeros_like(small)), score_scan("c", small, small)]
    scores = card_scores(summarise(scans))
    assert json.loads(json.dumps(scores))["sensitivity"] == 2 / 3
    page = card_markdown(card({"held_out": scores}), "model.safetensors", "0" * 64)
    row = next(line for line in page.splitlines() if line.startswith("| held_out |"))
    assert "| 0.667 [0.000, 1.000] | 0.000" in row
    assert "| 5 to 29 voxels | 0.500 [0.000, 1.000] | 1 of 2 | 0 |" in page
    assert "| 200 voxels and more | 1.000 | 1 of 1 | 0 |" in page
    assert "NaN" not in card({"held_out": scores}).model_dump_json()


def test_scores_of_an_older_card_are_shown_and_marked() -> None:
    old = {"patients": 17, "mean_dice": 0.88, "lesion_sensitivity": 1.0, "false_lesions_per_patient": 0.5}
    page = card_markdown(card({"cross_validation": old}), "model.safetensors", "0" * 64)
    row = next(line for line in page.splitlines() if line.startswith("| cross_validation |"))
    assert row == "| cross_validation | 0.880 | – | – | 1.000* | 0.500* | – | 17 |"


@pytest.mark.parametrize(
    "name", ["attention_unet", "attention_unet_first", "best", "inception_unet", "metastases", "nested_unet"]
)
def test_what_lies_beside_shipped_weights_is_their_card_and_names_the_target(name: str, repository: Path) -> None:
    page = (repository / "weights" / name / "README.md").read_text(encoding="utf-8")
    checkpoint = load_checkpoint(str(repository / "weights" / name))
    assert page == card_markdown(checkpoint.card, checkpoint.path.name, checkpoint.sha256)
    assert f"Outlines: **{checkpoint.card.target}**" in page
