"""Options go before the configuration file, the file before the checkpoint to start from, that before the defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metseg.cli.recipe import training_config
from metseg.errors import CheckpointError, DataError
from metseg.training import TrainingConfig


def test_what_is_given_goes_before_what_is_inherited(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"learning_rate": 2e-3, "epochs": 4, "augmentation": {"noise": 0.0}}))
    inherited = training_config(file=file, init=str(model), epochs=9)
    assert inherited.architecture == "attention_unet"
    assert inherited.preprocessing.size == 64
    assert (inherited.learning_rate, inherited.epochs) == (2e-3, 9)
    assert inherited.augmentation.noise == 0
    assert inherited.augmentation.rotation == TrainingConfig(architecture="nested_unet").augmentation.rotation

    other = training_config(file=None, init=str(model), architecture="inception_unet", preprocessing={"neighbours": 1})
    assert (other.architecture, other.encoder) == ("inception_unet", None)
    assert (other.preprocessing.size, other.preprocessing.neighbours) == (64, 1)

    plain = training_config(file=None, architecture="nested_unet", clahe="none", loss="bce_dice")
    assert plain.preprocessing.clahe is None
    assert plain.loss.focal == 0
    (tmp_path / "plain.json").write_text(plain.model_dump_json())
    assert training_config(file=tmp_path / "plain.json") == plain
    back = training_config(file=tmp_path / "plain.json", clahe="beside")
    assert back.preprocessing.clahe is not None
    assert back.preprocessing.append_unenhanced


def test_who_is_held_out_is_said_once(tmp_path: Path) -> None:
    fold = training_config(file=None, architecture="nested_unet", folds=5, fold=2)
    (tmp_path / "fold.json").write_text(fold.model_dump_json())
    everybody = training_config(file=tmp_path / "fold.json", held_out=0.0)
    assert (everybody.folds, everybody.held_out) == (None, 0)
    with pytest.raises(DataError, match="choose one"):
        training_config(file=None, architecture="nested_unet", folds=5, fold=0, held_out=0.2)
    with pytest.raises(DataError, match="folds and fold go together"):
        training_config(file=None, architecture="nested_unet", folds=5)
    with pytest.raises(DataError, match="there is no number 5"):
        training_config(file=None, architecture="nested_unet", folds=5, fold=5)


def test_what_cannot_be_is_named(model: Path, tmp_path: Path) -> None:
    for content, says in [
        ("[]", "a JSON object is expected"),
        ("{", "not a configuration"),
        ('{"architecture": "nested_unet", "epoch": 3}', "--epoch: Extra inputs"),
        ('{"epochs": 3}', "which network"),
    ]:
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(DataError, match=says):
            training_config(file=tmp_path / "bad.json")
    with pytest.raises(DataError, match="--crop: Input should be a multiple of 32"):
        training_config(file=None, architecture="nested_unet", crop=100)
    with pytest.raises(DataError, match="choose one"):
        training_config(file=None, init=str(model), encoder_weights="bundled")
    with pytest.raises(CheckpointError, match="no model is called 'nowhere'"):
        training_config(file=None, init="nowhere")
