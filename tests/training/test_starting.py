"""Where the first weights come from, what stays frozen, and who is held out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metseg.checkpoints import Checkpoint, ModelCard, TrainingRecord, load_checkpoint, save_checkpoint
from metseg.errors import CheckpointError, DataError
from metseg.events import Notice, drain
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.synthetic import synthetic_study
from metseg.training import Split, TrainingConfig, make_folds, make_split, train, write_split
from metseg.training.dataset import prepare
from metseg.training.trainer import Trainer
from metseg.training.transfer import transfer

ENCODER = "body.encoder."


@given(st.sets(st.text("abc123", min_size=1), min_size=2, max_size=60), st.integers(2, 7), st.integers(0, 9))
def test_every_patient_is_held_out_in_one_fold(names: set[str], folds: int, seed: int) -> None:
    if len(names) < folds:
        with pytest.raises(DataError, match="fewer folds"):
            make_folds(names, folds, seed)
        return
    splits = make_folds(names, folds, seed)
    assert sorted(name for split in splits for name in split.held_out) == sorted(names)
    assert all(sorted(split.train + split.held_out) == sorted(names) for split in splits)
    sizes = [len(split.held_out) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    if len(names) % folds == 0:
        assert splits[0] == make_split(names, 1 / folds, seed)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    torch.manual_seed(5)
    spec = NetworkSpec.of("attention_unet")
    record = TrainingRecord(patients=("head0",))
    card = ModelCard(name="parent", network=spec, preprocessing=PreprocessingConfig(size=None), training=record)
    return load_checkpoint(save_checkpoint(tmp_path_factory.mktemp("parent"), build_network(spec), card))


def test_the_same_architecture_takes_everything_another_the_encoder(parent: Checkpoint) -> None:
    sequences = parent.card.preprocessing.sequences
    same = build_network(parent.card.network)
    assert transfer(same, parent, sequences).left == ()
    torch.testing.assert_close(dict(same.state_dict()), parent.state, rtol=0, atol=0)

    other = build_network(NetworkSpec.of("nested_unet"))
    taken = transfer(other, parent, sequences)
    assert set(taken.taken) == {key for key in parent.state if key.startswith(ENCODER)}
    assert taken.left
    assert "start at random (decoder, segmentation_head)" in taken.describe("parent")

    with pytest.raises(CheckpointError, match="nothing of parent fits.*--encoder tu-tf_efficientnet_lite0"):
        transfer(build_network(NetworkSpec.of("nested_unet", "resnet18")), parent, sequences)


def test_more_planes_of_the_same_sequences_are_answered_as_before(parent: Checkpoint) -> None:
    wider = build_network(NetworkSpec.of("attention_unet", in_channels=9)).eval()
    taken = transfer(wider, parent, parent.card.preprocessing.sequences)
    assert len(taken.spread) == 1
    assert taken.left == ()
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(wider(image.repeat(1, 3, 1, 1)), parent.network()(image), rtol=1e-3, atol=1e-3)


def test_a_frozen_encoder_keeps_weights_and_statistics_then_learns(parent: Checkpoint, quick: TrainingConfig) -> None:
    head = prepare(synthetic_study(1, slices=8, size=96), quick.preprocessing)
    assert head is not None
    config = quick.model_copy(update={"init": "parent", "freeze_encoder": 1, "steps_per_epoch": 1, "batch_size": 2})
    trainer = Trainer(config, [head], "cpu", parent)

    def moved() -> set[bool]:
        state = trainer.averaged.state_dict()
        changed = [key for key, value in state.items() if not torch.equal(value, parent.state[key])]
        return {key.startswith(ENCODER) for key in changed}

    list(trainer.run_epoch())
    assert moved() == {False}
    list(trainer.run_epoch())
    assert moved() == {False, True}
    with pytest.raises(ValueError, match="random weights must not be frozen"):
        TrainingConfig(architecture="inception_unet", freeze_encoder=1)


@pytest.mark.parametrize(
    ("encoder", "weights"), [(None, "bundled"), ("tu-tf_efficientnet_lite2", "bundled"), ("resnet18", "none")]
)
def test_an_encoder_starts_from_the_weights_that_a_package_brings(encoder: str | None, weights: str) -> None:
    assert TrainingConfig(architecture="attention_unet", encoder=encoder).first_weights == weights


@pytest.mark.parametrize(("encoder", "said"), [("tu-tf_efficientnet_lite0", 0), ("resnet18", 1)])
def test_an_encoder_that_starts_at_random_is_named(
    heads: Path, quick: TrainingConfig, tmp_path: Path, encoder: str, said: int
) -> None:
    write_split(tmp_path / "run" / "split.json", Split(train=("head0",), held_out=()))
    config = quick.model_copy(update={"encoder": encoder, "epochs": 1, "steps_per_epoch": 1, "batch_size": 2})
    events: list[object] = []
    drain(train(config, heads, tmp_path / "run"), events.append)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices.count(f"encoder {encoder} starts from random weights") == said


@pytest.mark.slow
def test_a_fold_of_further_training_knows_its_parent_and_who_that_saw(
    heads: Path, quick: TrainingConfig, parent: Checkpoint, tmp_path: Path
) -> None:
    splits = make_folds(("head0", "head1", "head2"), 3, seed=0)
    fold = next(index for index, split in enumerate(splits) if split.held_out == ("head1",))
    few = {"init": str(parent.path), "folds": 3, "epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "threshold": 0.4}
    another_seed = {"fold": fold, "seed": 7}
    config = TrainingConfig.model_validate(quick.model_dump() | few | another_seed)
    notices: list[object] = []
    card = load_checkpoint(drain(train(config, heads, tmp_path / "run"), notices.append)).card
    assert any(isinstance(event, Notice) and "tensors taken from parent" in event.text for event in notices)
    assert card.training.parent == parent.sha256
    assert card.training.held_out == ("head1",)
    assert card.training.config["fold"] == fold
    assert card.postprocessing.threshold == 0.4
    assert card.scores["held_out"]["patients"] == 1

    other = config.model_copy(update={"fold": (fold + 1) % 3})
    with pytest.raises(DataError, match="split.json is not fold"):
        drain(train(other, heads, tmp_path / "run", resume=True))
    write_split(tmp_path / "split.json", Split(train=("head0",), held_out=()))
    with pytest.raises(DataError, match="leave --split or --folds away"):
        drain(train(config, heads, tmp_path / "other", split=tmp_path / "split.json"))

    seen = TrainingConfig.model_validate(
        config.model_dump() | {"fold": next(i for i, split in enumerate(splits) if split.held_out == ("head0",))}
    )
    leaking = load_checkpoint(drain(train(seen, heads, tmp_path / "leaking"), notices.append)).card
    assert any(
        isinstance(event, Notice) and "1 of 1 held-out patients were trained on" in event.text for event in notices
    )
    assert leaking.training.held_out == ()
    assert "head0" in leaking.training.patients
    assert leaking.scores == {}
