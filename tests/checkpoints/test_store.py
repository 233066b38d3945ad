"""Checkpoints keep their weights and their card, and refuse what is not one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from metseg.checkpoints import ModelCard, list_models, load_checkpoint, read_card, save_checkpoint
from metseg.errors import CheckpointError
from metseg.networks import NetworkSpec, SegmentationNetwork, build_network
from metseg.preprocessing import ClaheConfig, PreprocessingConfig


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(NetworkSpec.of("attention_unet")).eval()


@pytest.fixture
def card(network: SegmentationNetwork) -> ModelCard:
    preprocessing = PreprocessingConfig(clahe=ClaheConfig(clip_limit=3.0), size=192)
    return ModelCard(name="trial", network=network.spec, preprocessing=preprocessing, notes="A trial.")


def test_weights_and_card_come_back(tmp_path: Path, network: SegmentationNetwork, card: ModelCard) -> None:
    save_checkpoint(tmp_path / "trial", network, card)
    checkpoint = load_checkpoint(tmp_path / "trial")
    assert checkpoint.card == card
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(checkpoint.network()(images), network(images), atol=0.02, rtol=0.02)
    page = (tmp_path / "trial" / "README.md").read_text(encoding="utf-8")
    assert checkpoint.sha256 in page
    assert "A trial." in page


def test_a_lone_file_is_enough(tmp_path: Path, network: SegmentationNetwork, card: ModelCard) -> None:
    file = save_checkpoint(tmp_path / "trial", network, card).rename(tmp_path / "moved.safetensors")
    assert load_checkpoint(file).card == card


def test_models_in_metseg_weights_are_found_by_name(
    tmp_path: Path, network: SegmentationNetwork, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "my_model", network, card)
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path))
    assert "my_model" in [model.name for model in list_models()]
    assert load_checkpoint("my_model").card == card


def test_damage_is_named(tmp_path: Path, network: SegmentationNetwork, card: ModelCard) -> None:
    file = save_checkpoint(tmp_path, network, card)
    whole = file.read_bytes()
    for kept in (0, 7, 1000, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError, match="model.safetensors"):
            load_checkpoint(file)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    pickle = tmp_path / "model.pth"
    torch.save({"w": torch.ones(1)}, pickle)
    with pytest.raises(CheckpointError, match="a pickle could run code"):
        load_checkpoint(pickle)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.ones(1)}, foreign)
    with pytest.raises(CheckpointError, match="no metseg model card"):
        read_card(foreign)
    with pytest.raises(CheckpointError, match="no model is called 'unheard_of'"):
        load_checkpoint("unheard_of")


def test_a_card_whose_network_does_not_fit_is_refused(
    tmp_path: Path, network: SegmentationNetwork, card: ModelCard
) -> None:
    other = card.model_copy(update={"network": NetworkSpec.of("nested_unet")})
    save_checkpoint(tmp_path, network, other)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_checkpoint(tmp_path).network()


def test_a_card_whose_parts_do_not_fit_each_other_is_refused(network: SegmentationNetwork) -> None:
    with pytest.raises(ValueError, match="takes 3 channels, preprocessing makes 9"):
        ModelCard(name="odd", network=network.spec, preprocessing=PreprocessingConfig(neighbours=1))
