"""An ensemble answers with the mean of its members, whichever way it is stored."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from metseg.checkpoints import (
    Checkpoint,
    ModelCard,
    TrainingRecord,
    average_weights,
    combine,
    descend_from_each_other,
    list_models,
    load_checkpoint,
    save_checkpoint,
    save_ensemble,
)
from metseg.errors import CheckpointError
from metseg.lesions import PostprocessingConfig
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig


def saved(folder: Path, seed: int, held_out: tuple[str, ...], preprocessing: PreprocessingConfig) -> Checkpoint:
    torch.manual_seed(seed)
    network = build_network(NetworkSpec.of("attention_unet")).eval()
    patients = tuple(name for name in "ABCD" if name not in held_out)
    record = TrainingRecord(patients=patients, held_out=held_out)
    card = ModelCard(name=folder.name, network=network.spec, preprocessing=preprocessing, training=record)
    return load_checkpoint(save_checkpoint(folder, network, card))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("members")
    config = PreprocessingConfig(clahe=None)
    saved(folder / "one", 1, ("A", "B"), config)
    saved(folder / "two", 2, ("B", "C"), config)
    return folder


@pytest.fixture
def members(written: Path, tmp_path: Path) -> list[Checkpoint]:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return [load_checkpoint(tmp_path / name) for name in ("one", "two")]


@pytest.mark.parametrize("by_name", [True, False])
def test_probabilities_are_the_mean_of_the_members(tmp_path: Path, members: list[Checkpoint], by_name: bool) -> None:
    network, card = combine(members, "both")
    target = tmp_path / "both"
    loaded = load_checkpoint(
        save_ensemble(target, members, card) if by_name else save_checkpoint(target, network, card)
    )
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = sum(member.network()(images).sigmoid() for member in members) / 2
        torch.testing.assert_close(loaded.network()(images).sigmoid(), expected, atol=1e-4, rtol=1e-3)
    assert loaded.sha256 in (target / "README.md").read_text(encoding="utf-8")


def test_weights_are_the_mean_of_the_members(tmp_path: Path, members: list[Checkpoint]) -> None:
    mean = load_checkpoint(save_checkpoint(tmp_path / "mean", *average_weights(members, "mean")))
    assert mean.card.network == members[0].card.network
    assert (mean.card.training.patients, mean.card.training.held_out) == (("A", "C", "D"), ("B",))
    assert "Mean of the weights of `one`" in mean.card.notes
    one, two = (member.state for member in members)
    for key, value in mean.state.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (one[key] + two[key]) / 2, atol=1e-3, rtol=1e-2)
    torch.manual_seed(0)
    nested = build_network(NetworkSpec.of("nested_unet")).eval()
    card = members[0].card.model_copy(update={"name": "three", "network": nested.spec})
    other = load_checkpoint(save_checkpoint(tmp_path / "three", nested, card))
    with pytest.raises(CheckpointError, match="one architecture"):
        average_weights([members[0], other], "mean")


def test_the_cards_say_whether_weights_may_be_averaged(members: list[Checkpoint]) -> None:
    def child_of(parent: str, checkpoint: Checkpoint) -> Checkpoint:
        record = checkpoint.card.training.model_copy(update={"parent": parent})
        return replace(checkpoint, card=checkpoint.card.model_copy(update={"training": record}))

    one, two = members
    assert not descend_from_each_other([one, two])
    assert descend_from_each_other([one, child_of(one.sha256, two)])
    assert descend_from_each_other([child_of("c" * 64, one), child_of("c" * 64, two)])
    assert not descend_from_each_other([child_of("c" * 64, one), child_of("d" * 64, two)])


def test_an_ensemble_is_run_as_its_first_member_is_and_a_mean_as_its_last(members: list[Checkpoint]) -> None:
    first, last = (
        replace(
            member,
            card=member.card.model_copy(update={"postprocessing": PostprocessingConfig(min_lesion_voxels=smallest)}),
        )
        for member, smallest in zip(members, (3, 5), strict=True)
    )
    assert combine([first, last], "both")[1].postprocessing.min_lesion_voxels == 3
    assert average_weights([first, last], "mean")[1].postprocessing.min_lesion_voxels == 5


def test_only_patients_that_no_member_saw_are_held_out(members: list[Checkpoint]) -> None:
    record = combine(members, "both")[1].training
    assert (record.patients, record.held_out) == (("A", "C", "D"), ("B",))


def test_a_member_that_changed_is_refused(
    tmp_path: Path, members: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_ensemble(tmp_path / "both", members, combine(members, "both")[1])
    saved(tmp_path / "two", 3, (), members[0].card.preprocessing)
    with pytest.raises(CheckpointError, match="not the weights that"):
        load_checkpoint(tmp_path / "both")
    members[1].path.unlink()
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path))
    problems = {model.name: model.problem for model in list_models()}
    assert problems["one"] is None
    assert "missing: two" in str(problems["both"])


def test_members_must_agree(tmp_path: Path, members: list[Checkpoint]) -> None:
    with pytest.raises(CheckpointError, match="two networks or more"):
        combine(members[:1], "alone")
    with pytest.raises(CheckpointError, match="given twice"):
        average_weights([members[0], members[0]], "both")
    equalised = saved(tmp_path / "three", 3, (), PreprocessingConfig())
    with pytest.raises(CheckpointError, match="one and three differ in preprocessing"):
        combine([members[0], equalised], "both")
    elsewhere = saved(tmp_path / "elsewhere" / "four", 4, (), PreprocessingConfig(clahe=None))
    with pytest.raises(CheckpointError, match="must lie beside"):
        save_ensemble(tmp_path / "both", [elsewhere], members[0].card)


def test_damaged_models_are_listed_with_what_is_wrong(
    tmp_path: Path, members: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    members[0].path.write_bytes(members[0].path.read_bytes()[:1000])
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path))
    listed = {model.name: model for model in list_models()}
    assert listed["one"].card is None
    assert "not a readable safetensors file" in str(listed["one"].problem)
    assert listed["two"].card is not None
