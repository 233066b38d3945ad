"""Geometry is what torchvision's would be, in one interpolation; a stack of slices changes as one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms.v2 import functional

from metseg.preprocessing import PreprocessingConfig
from metseg.training import AugmentationConfig
from metseg.training.augmentation import Augmentation, _gaussian_blur
from metseg.training.deformation import Deformation, _inverse_affine, random_deformation

UNMOVED = {"horizontal_flip": 0, "vertical_flip": 0, "rotation": 0, "shear": 0, "scale": 0, "shift": 0, "elastic": 0}
UNCHANGED = {"brightness": 0, "contrast": 0, "gamma": 0, "noise": 0, "missing_sequence": 0}


def picture(rows: int = 90, columns: int = 70) -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 1, (3, rows, columns))
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 3, 3)).astype(np.float32))


@pytest.mark.parametrize(
    ("angle", "scale", "shear", "shift"), [(17, 1, 0, (0, 0)), (0, 1.19, 5, (0, 0)), (-12, 0.85, -4, (6, -9))]
)
def test_turning_scaling_and_shearing_agree_with_torchvision(
    angle: float, scale: float, shear: float, shift: tuple[int, int]
) -> None:
    image = picture(80, 80)
    expected = functional.affine(image, angle, list(shift), scale, [shear, 0.0], functional.InterpolationMode.BILINEAR)
    matrix = _inverse_affine(
        angle=math.radians(angle), scale=scale, shear=math.radians(shear), shift=shift, centre=(39.5, 39.5)
    )
    got = Deformation(matrix[:2], 80).image(image)
    assert (got - expected).abs()[:, 2:-2, 2:-2].median() < 1e-3
    assert torch.corrcoef(torch.stack([got.flatten(), expected.flatten()]))[0, 1] > 0.998


@pytest.mark.parametrize(("flip", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
def test_a_flip_moves_pixels_and_interpolates_none(flip: str, axis: int) -> None:
    config = AugmentationConfig.model_validate(UNMOVED | {flip: 1})
    image = picture(64, 64)
    assert torch.equal(random_deformation(config, 64, (64, 64)).image(image), image.flip(axis))


def test_crops_lie_anywhere_in_the_slice_and_small_slices_anywhere_in_the_crop() -> None:
    config = AugmentationConfig.model_validate(UNMOVED)
    image = torch.arange(1, 90 * 70 + 1, dtype=torch.float32).view(1, 90, 70)
    corners = [random_deformation(config, 64, (90, 70)).image(image)[0, 0, 0] for _ in range(200)]
    rows, columns = {int(c - 1) // 70 for c in corners}, {int(c - 1) % 70 for c in corners}
    assert (min(rows), max(rows), columns) == (0, 26, set(range(7)))
    for _ in range(20):
        padded = random_deformation(config, 96, (90, 70)).image(image)
        assert torch.equal(padded[padded > 0], image.flatten())


def test_a_crop_shows_the_lesion_that_it_must_show() -> None:
    config = AugmentationConfig(rotation=30, horizontal_flip=0.5, vertical_flip=0.5, shift=0)
    for seed in range(100):
        drawn = torch.Generator().manual_seed(seed)
        y, x = (int(place) for place in torch.randint(20, 180, (2,), generator=drawn))
        slice_ = torch.zeros(1, 200, 200)
        slice_[0, y - 2 : y + 3, x - 2 : x + 3] = 1
        assert random_deformation(config, 64, (200, 200), drawn, (y, x)).image(slice_).max() > 0.5


def test_some_slices_are_equalised_and_none_where_the_preprocessing_does_it_itself() -> None:
    still = dict.fromkeys(AugmentationConfig.model_fields, 0.0)
    config = AugmentationConfig.model_validate(still | {"clahe": 0.5})
    image = (picture(64, 64)[:1] / picture(64, 64).max()).clamp(min=0)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    sequences = {"sequences": ("post-contrast",)}
    plain = PreprocessingConfig.model_validate(sequences | {"clahe": None})
    changed = [
        not torch.allclose(Augmentation(config, 64, plain)(image, mask, torch.Generator().manual_seed(seed))[0], image)
        for seed in range(200)
    ]
    assert 70 < sum(changed) < 130
    itself = Augmentation(config, 64, PreprocessingConfig.model_validate(sequences))
    assert torch.allclose(itself(image, mask, torch.Generator().manual_seed(0))[0], image)


def test_bending_is_smooth_and_as_strong_as_torchvisions() -> None:
    config = AugmentationConfig.model_validate(UNMOVED | {"elastic": 1})
    bends = [random_deformation(config, 192, (192, 192), torch.Generator().manual_seed(n)).bend for n in range(5)]
    field = np.stack([bend for bend in bends if bend is not None])
    reference = 0.577 * 30 / (2 * math.sqrt(math.pi) * 6)
    assert field.std() == pytest.approx(reference, rel=0.15)
    assert np.abs(np.diff(field, axis=-1)).max() < 0.6
    image = picture(192, 192)
    bent = random_deformation(config, 192, (192, 192)).image(image)
    moved = (bent - image).abs()[:, 8:-8, 8:-8]
    assert 0.02 < moved.mean() / image.abs().mean() < 0.5


def test_a_stack_moves_as_one_and_changes_brightness_as_one() -> None:
    config = AugmentationConfig.model_validate({"noise": 0, "elastic": 1})
    image = picture().abs().clamp(0, 1).expand(5, 3, 90, 70)
    mask = (image[:, :1] > 0.1).to(torch.uint8)
    changed, cropped = Augmentation(config, 64, PreprocessingConfig())(image, mask, torch.Generator().manual_seed(1))
    assert changed.shape == (5, 3, 64, 64)
    assert cropped.shape == (5, 1, 64, 64)
    assert cropped.dtype == torch.uint8
    assert all(torch.equal(changed[0], other) for other in changed[1:])
    alone = Augmentation(config, 64, PreprocessingConfig())(image[0], mask[0], torch.Generator().manual_seed(1))
    assert torch.equal(alone[0], changed[0])
    assert torch.equal(alone[1], cropped[0])


def test_noise_differs_from_slice_to_slice() -> None:
    config = AugmentationConfig.model_validate(UNMOVED | UNCHANGED | {"noise": 0.05})
    image = torch.full((2, 3, 64, 64), 0.5)
    noisy, _ = Augmentation(config, 64, PreprocessingConfig())(image, torch.zeros(2, 1, 64, 64, dtype=torch.uint8))
    assert not torch.equal(noisy[0], noisy[1])


def test_blur_takes_detail_on_half_of_the_examples_and_no_brightness() -> None:
    config = AugmentationConfig.model_validate(UNMOVED | UNCHANGED | {"clahe": 0, "blur": 2})
    image, mask = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    augmentation = Augmentation(config, 64, PreprocessingConfig())
    changed = [augmentation(image, mask, torch.Generator().manual_seed(seed))[0] for seed in range(20)]
    same = sum(torch.equal(one, image) for one in changed)
    assert 5 <= same <= 15
    for one in changed:
        assert one.mean().item() == pytest.approx(image.mean().item(), abs=0.005)
        assert torch.equal(one, image) or one.std() < 0.98 * image.std()


@pytest.mark.parametrize("deviation", [0.5, 1.2, 3.0])
def test_blur_agrees_with_torchvision(deviation: float) -> None:
    image, side = picture(64, 48), 2 * round(3 * deviation) + 1
    expected = functional.gaussian_blur(image, [side, side], [deviation, deviation])
    torch.testing.assert_close(_gaussian_blur(image, deviation), expected, atol=1e-5, rtol=1e-4)


def test_a_bias_field_is_smooth_positive_and_the_same_for_all_slices_of_a_stack() -> None:
    config = AugmentationConfig.model_validate(UNMOVED | UNCHANGED | {"clahe": 0, "bias_field": 0.3})
    image, mask = torch.full((2, 3, 64, 64), 0.5), torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    changed, _ = Augmentation(config, 64, PreprocessingConfig())(image, mask, torch.Generator().manual_seed(0))
    gains = changed / image
    assert torch.equal(gains[0], gains[1])
    assert 0.6 < gains.min() < 0.99 < 1.01 < gains.max() < 1.6
    assert gains.diff(dim=-1).abs().max() < 0.05
    assert not torch.equal(gains[0, 0], gains[0, 1])


def test_what_was_given_is_not_changed() -> None:
    image, mask = picture().abs(), torch.ones(1, 90, 70, dtype=torch.uint8)
    before = image.clone()
    Augmentation(AugmentationConfig(), 64, PreprocessingConfig())(image, mask)
    Augmentation(AugmentationConfig.model_validate(UNMOVED), 64, PreprocessingConfig())(image, mask)
    assert torch.equal(image, before)
    assert mask.all()
