"""Split, plan, augmentation, loss and average, each by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metseg.preprocessing import PreprocessingConfig, Preprocessor
from metseg.study import SliceFile
from metseg.synthetic import synthetic_study
from metseg.training import AugmentationConfig, LossConfig, TrainingConfig, make_split
from metseg.training.augmentation import Augmentation
from metseg.training.dataset import EpochPlan, Place, TrainingSlices, prepare
from metseg.training.losses import UNKNOWN, SegmentationLoss
from metseg.training.prepared import PreparedStudy
from metseg.training.trainer import moving_average

STILL = AugmentationConfig(brightness=0, contrast=0, gamma=0, noise=0, clahe=0, missing_sequence=0)


@given(st.sets(st.text("abc123", min_size=1), min_size=1, max_size=60), st.floats(0, 0.99), st.integers(0, 9))
def test_a_split_holds_every_patient_once_and_keeps_some_to_train(names: set[str], share: float, seed: int) -> None:
    split = make_split(names, share, seed)
    assert sorted(split.train + split.held_out) == sorted(names)
    assert split.train
    assert make_split(names, share, seed) == split
    if share and len(names) > 1:
        assert split.held_out


def prepared(lesions: list[bool]) -> PreparedStudy:
    masks = np.zeros((len(lesions), 64, 64), np.uint8)
    masks[lesions, 20:40, 20:40] = 1
    views = np.zeros((len(lesions), 1, 3, 64, 64), np.float16)
    return PreparedStudy("p", "p", views, masks, tuple(range(len(lesions))))


def test_batches_are_balanced_seeded_and_show_every_lesion_slice() -> None:
    config = TrainingConfig(architecture="nested_unet", batch_size=4)
    plan = EpochPlan([prepared([True] * 5 + [False] * 20), prepared([True, False])], config)
    batches = plan.batches(0)
    assert len(batches) == plan.steps == 3
    lesion = {(0, z) for z in range(5)} | {(1, 0)}
    assert all(sum((p, z) in lesion for (p, z, _), _ in batch) == 2 for batch in batches)
    assert {(p, z) for batch in batches for (p, z, _), _ in batch} >= lesion
    assert plan.batches(0) == batches
    assert plan.batches(1) != batches


def test_small_lesions_and_patients_with_few_are_drawn_as_often_as_large_ones_and_many() -> None:
    few, many = prepared([False] * 30), prepared([False] * 30)
    few.masks[2, 8:10, 8:10] = few.masks[10:30, 2:14, 2:14] = 1  # one slice, twenty slices
    many.masks[::3, 4:6, 4:6] = 1  # ten lesions of one slice
    many = replace(many, name="q", patient="q")
    config = TrainingConfig(architecture="nested_unet", batch_size=16, sampling="lesion", steps_per_epoch=200)
    drawn = [place for batch in EpochPlan([few, many], config).batches(0) for place, _ in batch if place.centre]
    assert len(drawn) == 1600
    small = [place for place in drawn if place == (0, 2, (8, 8))]
    assert len(small) == pytest.approx(400, abs=80)
    assert len([place for place in drawn if place.study == 1]) == 800
    assert all((few, many)[place.study].masks[(place.z, *place.centre)] for place in drawn)


def test_without_empty_slices_batches_are_full() -> None:
    plan = EpochPlan([prepared([True] * 3)], TrainingConfig(architecture="nested_unet", batch_size=4))
    assert [len(batch) for batch in plan.batches(0)] == [4]


def test_replayed_patients_have_their_share_and_every_new_lesion_slice_is_shown() -> None:
    config = TrainingConfig(architecture="nested_unet", batch_size=8, replay=0.25)
    old = replace(prepared([True] * 40 + [False] * 40), replayed=True)
    plan = EpochPlan([prepared([True] * 6 + [False] * 2), old], config)
    batches = plan.batches(0)
    assert len(batches) == 2  # 6 new slices with lesion, 3 in each batch
    for batch in batches:
        assert sum(patient == 1 for (patient, _, _), _ in batch) == 2
        assert sum(patient == 0 and z < 6 for (patient, z, _), _ in batch) == 3
    assert {(p, z) for batch in batches for (p, z, _), _ in batch} >= {(0, z) for z in range(6)}


def test_healthy_new_patients_are_shown_beside_replayed_lesions() -> None:
    config = TrainingConfig(architecture="nested_unet", batch_size=8, replay=0.5)
    old = replace(prepared([True] * 8 + [False] * 8), replayed=True)
    batch = EpochPlan([prepared([False] * 4), old], config).batches(0)[0]
    assert sum(patient == 0 for (patient, _, _), _ in batch) == 2
    assert sum(patient == 1 and z < 8 for (patient, z, _), _ in batch) == 4


def test_an_example_is_always_the_same_pixels_and_seeds_differ() -> None:
    study = synthetic_study(1, slices=8, size=96)
    ready = prepare(study, PreprocessingConfig(size=None))
    assert ready is not None
    slices = TrainingSlices(
        [ready], TrainingConfig(architecture="nested_unet", crop=64, preprocessing=PreprocessingConfig(size=None))
    )
    before = torch.random.get_rng_state()
    torch.testing.assert_close(slices[Place(0, 1), 5][0], slices[Place(0, 1), 5][0], rtol=0, atol=0)
    assert not torch.equal(slices[Place(0, 1), 5][0], slices[Place(0, 1), 6][0])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_image_and_mask_move_together() -> None:
    mask = torch.zeros(1, 128, 128, dtype=torch.uint8)
    mask[:, 40:80, 50:95] = 1
    image = mask.float().repeat(3, 1, 1)
    augment = Augmentation(STILL, crop=96, preprocessing=PreprocessingConfig())
    torch.manual_seed(0)
    moved = []
    for _ in range(20):
        changed, changed_mask = augment(image, mask)
        assert changed.shape == (3, 96, 96)
        assert set(changed_mask.unique().tolist()) <= {0, 1}
        inside = changed_mask[0].bool()
        overlap = 2 * ((changed[0] > 0.5) & inside).sum() / ((changed[0] > 0.5).sum() + inside.sum())
        assert overlap > 0.93
        moved.append(not torch.equal(changed_mask, mask[:, 16:112, 16:112]))
    assert all(moved)


def test_flair_stands_in_for_a_missing_sequence_on_every_plane() -> None:
    config = PreprocessingConfig(append_unenhanced=True, neighbours=1)
    planes = torch.arange(1, 5)[:, None] / 10 + torch.tensor([0.0, 0.03, 0.06])
    image = planes.flatten()[:, None, None].expand(12, 64, 64)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    still = {"rotation": 0.0, "shear": 0.0, "scale": 0.0, "shift": 0.0, "elastic": 0.0}
    lost = STILL.model_copy(update=still | {"missing_sequence": 1.0})
    changed, _ = Augmentation(lost, crop=64, preprocessing=config)(image, mask)
    torch.testing.assert_close(changed[:, 0, 0].view(4, 3), planes[:, 1:2].expand(4, 3))
    without_flair = config.model_copy(update={"sequences": ("pre-contrast", "other", "post-contrast")})
    kept, _ = Augmentation(lost, crop=64, preprocessing=without_flair)(image, mask)
    torch.testing.assert_close(kept, image)


def test_neighbouring_slices_change_in_brightness_together() -> None:
    config = PreprocessingConfig(append_unenhanced=True, neighbours=1)
    image = torch.full((12, 64, 64), 0.5)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    augmentation = AugmentationConfig(
        noise=0, clahe=0, missing_sequence=0, rotation=0, shear=0, scale=0, shift=0, elastic=0
    )
    changed, _ = Augmentation(augmentation, crop=64, preprocessing=config)(image, mask)
    planes = changed[:, 0, 0].view(4, 3)
    torch.testing.assert_close(planes[0], planes[1])
    torch.testing.assert_close(planes[1], planes[2])
    assert not torch.allclose(planes[2], planes[3])


def test_the_loss_is_the_named_sum_and_small_for_a_perfect_answer() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 1, 8, 8), (torch.rand(2, 1, 8, 8) > 0.5).to(torch.uint8)
    truth = target.float()
    probability = logits.sigmoid()
    dice = 1 - 2 * (probability * truth).sum() / (probability.sum() + truth.sum())
    bce = torch.nn.functional.binary_cross_entropy(probability, truth)
    got = SegmentationLoss(LossConfig(dice=1, focal=0, bce=0.5))(logits, target)
    torch.testing.assert_close(got, dice + 0.5 * bce, rtol=1e-4, atol=1e-4)
    assert SegmentationLoss(LossConfig())(40 * (truth - 0.5), target) < 1e-3


def test_a_small_lesion_weighs_as_much_as_a_large_one_and_what_is_false_counts_for_each() -> None:
    truth = torch.zeros(2, 1, 32, 32)
    truth[0, 0, 2:4, 2:4] = truth[0, 0, 10:30, 10:30] = 1
    loss = SegmentationLoss(LossConfig(dice=0, focal=0, bce=0, lesion_dice=1))
    sure = 40 * (truth - 0.5)
    assert loss(sure, truth) < 1e-3
    missed = sure.clone()
    missed[0, 0, 2:4, 2:4] = -20
    torch.testing.assert_close(loss(missed, truth), torch.tensor(0.5), rtol=0, atol=1e-3)
    false = sure.clone()
    false[0, 0, 2:4, 6:8] = 20  # as large as the small lesion: 1 - 8 / 12 and 1 - 800 / 804
    torch.testing.assert_close(loss(false, truth), torch.tensor((1 / 3 + 4 / 804) / 2), rtol=0, atol=1e-3)
    assert loss(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)) == 0


def test_what_is_not_known_is_not_learnt() -> None:
    truth = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    truth[..., 2:6, 2:6] = 1
    unknown = truth.clone()
    unknown[..., 8:12, 8:12] = UNKNOWN
    logits = torch.full(truth.shape, -40.0).masked_fill(truth == 1, 40.0)
    logits[..., 9:11, 9:11] = 40
    logits.requires_grad_()
    loss = SegmentationLoss(LossConfig(lesion_dice=1))
    assert loss(logits, truth) > 0.1
    learnt = loss(logits, unknown)
    learnt.backward()
    assert learnt < 1e-3
    assert logits.grad is not None
    assert not logits.grad[unknown == UNKNOWN].any()


def test_the_average_follows_the_weights_and_copies_counters() -> None:
    network = torch.nn.BatchNorm1d(2)
    average = moving_average(network, 0.5)
    average.update_parameters(network)
    network.weight.data.fill_(3.0)
    network.num_batches_tracked.fill_(9)
    for _ in range(40):
        average.update_parameters(network)
    torch.testing.assert_close(average.module.weight, torch.full((2,), 3.0))
    assert average.module.num_batches_tracked == 9


def test_training_sees_what_inference_sees() -> None:
    study = synthetic_study(1, slices=8, size=96)
    config = PreprocessingConfig(size=None, append_unenhanced=True, neighbours=2)
    ready = prepare(study, config)
    assert ready is not None
    served = Preprocessor(config, study.voxels).images(range(8))
    assert served.shape == (8, config.channels, 96, 96) == (8, 18, 96, 96)
    for z in range(8):
        np.testing.assert_allclose(ready.image(z), served[z], atol=1e-3)


def test_slices_without_a_mask_of_their_own_are_not_trained_on() -> None:
    study = synthetic_study(1, slices=8, size=96)
    files = tuple(SliceFile(Path(f"{z}.tif"), Path(f"{z}_mask.tif") if z != 1 else None) for z in range(8))
    assert replace(study, slices=files).masked_slices == [0, 2, 3, 4, 5, 6, 7]
    assert replace(study, mask=None).masked_slices == []
    ready = prepare(replace(study, slices=files), PreprocessingConfig(size=None))
    assert ready is not None
    assert ready.masked == (0, 2, 3, 4, 5, 6, 7)
    plan = EpochPlan([ready], TrainingConfig(architecture="nested_unet", batch_size=8))
    assert 1 not in {z for batch in plan.batches(0) for (_, z, _), _ in batch}


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"crop": 100}, {"batch_size": 1}, {"lesion_share": 0}, {"typo": 1}])
def test_a_senseless_configuration_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TrainingConfig(architecture="nested_unet", **wrong)  # type: ignore[arg-type]
