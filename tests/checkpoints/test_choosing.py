"""One rule decides which network outlines a study, and says plainly when none can."""

from __future__ import annotations

from pathlib import Path

import pytest

from metseg.checkpoints import ModelCard, choose_models, misfit, save_checkpoint
from metseg.errors import CheckpointError, DataError
from metseg.lesions import Target, TargetChoice
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.study import TRIPLET, Sequence
from metseg.training import TrainingConfig

BOTH = TargetChoice.BOTH.targets
ENHANCING, ABNORMALITY = (Target.ENHANCING_LESION,), (Target.FLAIR_ABNORMALITY,)
FLAIR, POST, PRE, UNKNOWN = Sequence.FLAIR, Sequence.POST, Sequence.PRE, Sequence.UNKNOWN


@pytest.fixture
def metastases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelCard:
    spec = NetworkSpec.of("attention_unet", in_channels=1)
    preprocessing = PreprocessingConfig(sequences=("post-contrast",), clahe=None, size=64)
    card = ModelCard(name="metastases", target=Target.ENHANCING_LESION, network=spec, preprocessing=preprocessing)
    save_checkpoint(tmp_path / "metastases", build_network(spec), card)
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path))
    return card


@pytest.mark.parametrize(
    ("sequences", "targets", "expected"),
    [
        (TRIPLET, (), ["best"]),
        ((FLAIR,), (), ["best"]),
        ((UNKNOWN,), (), ["best"]),
        ((PRE,), (), ["best"]),
        ((POST,), (), ["metastases"]),
        ((PRE, POST), (), ["metastases"]),
        (TRIPLET, ENHANCING, ["metastases"]),
        (TRIPLET, ABNORMALITY, ["best"]),
        ((UNKNOWN,), ENHANCING, ["metastases"]),
        (TRIPLET, BOTH, ["best", "metastases"]),
        ((FLAIR,), BOTH, ["best"]),
        ((POST,), BOTH, ["metastases"]),
        ((UNKNOWN,), BOTH, ["best"]),
    ],
)
@pytest.mark.usefixtures("metastases")
def test_auto_takes_what_the_sequences_show(
    sequences: tuple[Sequence, ...], targets: tuple[Target, ...], expected: list[str]
) -> None:
    assert choose_models("auto", sequences, targets) == expected


@pytest.mark.usefixtures("metastases")
def test_a_target_that_cannot_be_seen_is_refused() -> None:
    with pytest.raises(DataError, match="enhancing lesion is outlined on post-contrast.* there is flair"):
        choose_models("auto", (FLAIR,), ENHANCING)


def test_a_network_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metseg.checkpoints.store._weight_folders", lambda: iter((tmp_path,)))
    with pytest.raises(CheckpointError, match="no network for the enhancing lesion is installed: `metastases`"):
        choose_models("auto", (POST,))


def test_a_named_network_is_taken_unless_it_outlines_something_else(metastases: ModelCard) -> None:
    assert choose_models("anything", (POST,)) == ["anything"]
    assert choose_models(metastases.name, (POST,), ENHANCING) == ["metastases"]
    with pytest.raises(CheckpointError, match="metastases outlines the enhancing lesion, not FLAIR abnormality"):
        choose_models(metastases.name, TRIPLET, ABNORMALITY)


def test_a_network_fits_where_its_sequences_are_there_or_may_be_stood_in(metastases: ModelCard) -> None:
    triplet = ModelCard(name="t", network=NetworkSpec.of("attention_unet"), preprocessing=PreprocessingConfig())
    for fitting in (TRIPLET, (FLAIR,), (UNKNOWN,), (FLAIR, POST)):
        assert misfit(triplet, fitting) == ""
    assert misfit(triplet, (POST,)) == "t needs pre-contrast and flair; there is post-contrast"
    for fitting in (TRIPLET, (POST,), (UNKNOWN,)):
        assert misfit(metastases, fitting) == ""
    assert misfit(metastases, (FLAIR,)) == "metastases needs post-contrast; there is flair"


def test_a_training_says_what_its_network_will_outline() -> None:
    post = PreprocessingConfig(sequences=("post-contrast",))
    assert TrainingConfig(architecture="attention_unet").target is Target.FLAIR_ABNORMALITY
    config = TrainingConfig(architecture="attention_unet", preprocessing=post)
    assert config.target is Target.ENHANCING_LESION
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
    stored = config.model_dump(exclude={"target"})
    assert TrainingConfig.model_validate(stored | {"target": "FLAIR abnormality"}).target is Target.FLAIR_ABNORMALITY


def test_a_card_without_a_target_is_of_flair_abnormality(metastases: ModelCard) -> None:
    old = metastases.model_dump(exclude={"target"}, mode="json")
    assert ModelCard.model_validate(old).target is Target.FLAIR_ABNORMALITY
