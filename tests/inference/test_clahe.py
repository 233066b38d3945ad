"""Equalised slices, plain ones, or the average of both: one choice for every network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from metseg.checkpoints import Checkpoint, InferenceConfig, ModelCard, load_checkpoint, save_checkpoint
from metseg.inference import Segmentation, Segmenter
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import Clahe, ClaheConfig, PreprocessingConfig, Preprocessor
from metseg.study import Study

pytestmark = pytest.mark.slow

Make = Callable[..., Checkpoint]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A real checkpoint of a small network with random weights, made for the given preprocessing."""

    def write(inference: InferenceConfig | None = None, **preprocessing: object) -> Checkpoint:
        config = PreprocessingConfig.model_validate({"size": None, "normalisation": "median", **preprocessing})
        torch.manual_seed(0)
        network = build_network(NetworkSpec.of("attention_unet", in_channels=config.channels))
        card = ModelCard(name="small", network=network.spec, preprocessing=config)
        if inference is not None:
            card = card.model_copy(update={"inference": inference})
        return load_checkpoint(save_checkpoint(tmp_path / "small", network, card))

    return write


def segment(checkpoint: Checkpoint, study: Study, choice: str | None = None) -> Segmentation:
    with Segmenter(checkpoint.with_clahe(choice), device="cpu") as segmenter:
        return segmenter.segment(study)


@pytest.mark.parametrize("own", [None, ClaheConfig(clip_limit=3, tiles=(4, 4))])
def test_on_and_off_are_what_a_network_made_for_them_gets(make: Make, head: Study, own: ClaheConfig | None) -> None:
    checkpoint = make(clahe=own)
    for choice, config in (("on", own or ClaheConfig()), ("off", None)):
        found = segment(checkpoint, head, choice)
        expected = segment(make(clahe=config), head)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
        assert found.preprocessing == expected.preprocessing
        assert found.clahe == choice
    usual = segment(checkpoint, head)
    assert usual.clahe is (Clahe.OFF if own is None else Clahe.ON)
    assert usual.preprocessing == checkpoint.card.preprocessing


def test_a_network_that_sees_both_gets_the_plain_slice_twice_when_off(make: Make, head: Study) -> None:
    checkpoint = make(append_unenhanced=True)
    trained, off = checkpoint.card.preprocessing, checkpoint.card.with_clahe("off").preprocessing
    assert checkpoint.card.with_clahe("on").preprocessing == trained
    plain, equalised = Preprocessor(trained, head.voxels).images([4])[0].reshape(2, 3, 64, 64)
    assert not np.array_equal(plain, equalised)
    np.testing.assert_array_equal(Preprocessor(off, head.voxels).images([4])[0], np.concatenate([plain, plain]))
    assert segment(checkpoint, head, "off").clahe is Clahe.OFF


@pytest.mark.parametrize("mirror", [False, True])
def test_averaging_takes_the_mean_of_plain_and_equalised_slices(make: Make, head: Study, mirror: bool) -> None:
    checkpoint = make(clahe=None, inference=InferenceConfig(mirror=mirror))
    on, off, average = (segment(checkpoint, head, choice) for choice in ("on", "off", "average"))
    np.testing.assert_allclose(average.probabilities, (on.probabilities + off.probabilities) / 2, atol=1e-6)
    assert not np.array_equal(on.probabilities, off.probabilities)
    assert (average.clahe, average.clahe_average) == (Clahe.AVERAGE, True)
    assert average.preprocessing == on.preprocessing


def test_a_card_can_ask_for_the_average_and_a_user_for_something_else(make: Make, head: Study) -> None:
    checkpoint = make(clahe=None, inference=InferenceConfig(clahe_average=True))
    assert checkpoint.card.clahe is Clahe.AVERAGE
    np.testing.assert_array_equal(
        segment(checkpoint, head).probabilities, segment(make(clahe=None), head, "average").probabilities
    )
    assert segment(checkpoint, head, "off").clahe is Clahe.OFF
    assert segment(checkpoint, head, "on").clahe is Clahe.ON


def test_the_clip_limit_of_the_equalised_slice_can_be_chosen(make: Make) -> None:
    card = make(clahe=ClaheConfig(tiles=(4, 4))).card
    assert card.with_clahe("on", 3.5).preprocessing.clahe == ClaheConfig(clip_limit=3.5, tiles=(4, 4))
    assert card.with_clahe("average", 3.5).preprocessing.clahe == ClaheConfig(clip_limit=3.5, tiles=(4, 4))
    assert card.with_clahe("off", 3.5).preprocessing.clahe is None
    with pytest.raises(ValueError, match="sometimes"):
        card.with_clahe("sometimes")


def test_cards_from_before_there_was_an_average_are_read(make: Make) -> None:
    stored = make().card.model_dump(mode="json")
    del stored["inference"]["clahe_average"]
    assert ModelCard.model_validate(stored).clahe is Clahe.ON
