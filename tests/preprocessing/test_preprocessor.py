"""Intensities are windowed per volume, equalised per slice, and the config survives JSON."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from metseg.preprocessing import ClaheConfig, PreprocessingConfig, Preprocessor, apply_clahe
from metseg.synthetic import synthetic_study

VOXELS = synthetic_study(3, slices=8, size=96).voxels


def test_config_round_trips_through_json() -> None:
    config = PreprocessingConfig(clahe=ClaheConfig(clip_limit=3.5, tiles=(4, 6), mode="luminance"), size=None)
    assert PreprocessingConfig.model_validate_json(config.model_dump_json()) == config


def test_config_is_frozen_and_refuses_unknown_keys() -> None:
    with pytest.raises(ValidationError):
        PreprocessingConfig().size = 128  # type: ignore[misc]
    with pytest.raises(ValidationError):
        PreprocessingConfig.model_validate({"clip": 2})
    with pytest.raises(ValidationError):
        PreprocessingConfig(percentiles=(99.0, 1.0))


def test_clahe_is_opencvs_on_256_levels() -> None:
    image = np.random.default_rng(0).random((1, 64, 64)).astype(np.float32)
    expected = cv2.createCLAHE(2.0, (8, 8)).apply(np.rint(image[0] * 255).astype(np.uint8)) / 255
    np.testing.assert_allclose(apply_clahe(image, ClaheConfig())[0], expected, atol=1e-6)


def test_tiles_are_counted_along_y_then_x() -> None:
    image = np.random.default_rng(0).random((1, 64, 64)).astype(np.float32) * np.linspace(0, 1, 64, dtype=np.float32)
    by_columns = apply_clahe(image, ClaheConfig(tiles=(1, 8)))[0]
    by_rows = apply_clahe(image.transpose(0, 2, 1).copy(), ClaheConfig(tiles=(8, 1)))[0]
    np.testing.assert_allclose(by_columns, by_rows.T, atol=1e-6)


def test_luminance_mode_keeps_grey_grey() -> None:
    grey = np.repeat(np.random.default_rng(1).random((1, 64, 64)).astype(np.float32), 3, axis=0)
    out = apply_clahe(grey, ClaheConfig(mode="luminance"))
    assert np.abs(out - out[:1]).max() <= 2 / 255


def test_clahe_raises_contrast_where_it_is_low() -> None:
    faint = 0.45 + 0.1 * np.random.default_rng(0).random((1, 64, 64)).astype(np.float32)
    mild, strong = (apply_clahe(faint, ClaheConfig(clip_limit=limit)).std() for limit in (2, 8))
    assert faint.std() * 1.2 < mild < strong


@pytest.mark.parametrize("normalisation", ["median", "percentile", "unit", "zscore"])
@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "int64", "float32", "float64"])
def test_every_type_of_the_same_numbers_looks_the_same(normalisation: str, dtype: str) -> None:
    config = PreprocessingConfig(normalisation=normalisation, size=None)  # type: ignore[arg-type]
    stored = VOXELS.astype(np.uint16) * 77
    expected = Preprocessor(config, stored).images([2, 4])
    np.testing.assert_array_equal(Preprocessor(config, stored.astype(dtype)).images([2, 4]), expected)


@pytest.mark.parametrize("offset", [-32768.0, 1e6, 1e9, 1e12])
def test_numbers_far_from_zero_are_windowed_exactly(offset: float) -> None:
    config = PreprocessingConfig(size=None)
    expected = Preprocessor(config, VOXELS).windowed(3)
    np.testing.assert_allclose(
        Preprocessor(config, VOXELS.astype(np.float64) + offset).windowed(3), expected, atol=1e-4
    )


@pytest.mark.parametrize("normalisation", ["median", "percentile", "unit", "zscore"])
@pytest.mark.parametrize("factor", [1, 257])
def test_eight_and_sixteen_bits_look_the_same(normalisation: str, factor: int) -> None:
    config = PreprocessingConfig(normalisation=normalisation, size=None)  # type: ignore[arg-type]
    eight = Preprocessor(config, VOXELS).images([2, 4])
    sixteen = Preprocessor(config, VOXELS.astype(np.uint16) * factor).images([2, 4])
    np.testing.assert_allclose(eight, sixteen, atol=0.03)


def test_unit_and_percentile_stay_in_0_1_and_zscore_is_standard_in_the_head() -> None:
    for normalisation in ("unit", "percentile"):
        images = Preprocessor(PreprocessingConfig(normalisation=normalisation), VOXELS).images(range(8))  # type: ignore[arg-type]
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
    images = Preprocessor(PreprocessingConfig(normalisation="zscore", size=None), VOXELS).images(range(8))
    low, high = np.percentile(VOXELS[1], (1, 99.5))
    head = VOXELS[1] > low + 0.05 * (high - low)
    assert abs(images[:, 1][head].mean()) < 0.05
    assert abs(images[:, 1][head].std() - 1) < 0.05


def test_a_slice_looks_the_same_whatever_is_asked_for_with_it() -> None:
    preprocessor = Preprocessor(PreprocessingConfig(), VOXELS)
    np.testing.assert_array_equal(preprocessor.images([4])[0], preprocessor.images([1, 4])[1])


@pytest.mark.parametrize("value", [0, 7, 65535])
@pytest.mark.parametrize("normalisation", ["median", "percentile", "unit", "zscore"])
def test_a_flat_volume_gives_finite_numbers(value: int, normalisation: str) -> None:
    flat = np.full((3, 2, 40, 50), value, np.uint16)
    images = Preprocessor(PreprocessingConfig(normalisation=normalisation), flat).images([0, 1])  # type: ignore[arg-type]
    assert np.isfinite(images).all()


def test_planes_are_neighbours_slice_and_equalised_slice_in_this_order() -> None:
    config = PreprocessingConfig(size=None, append_unenhanced=True, neighbours=1)
    preprocessor = Preprocessor(config, VOXELS)
    image = preprocessor.images([0])[0].reshape(4, 3, 96, 96)
    for plane, z in zip(image, (0, 0, 1), strict=False):
        np.testing.assert_array_equal(plane, preprocessor.windowed(z))
    np.testing.assert_array_equal(image[3], preprocessor.enhanced(0))
    np.testing.assert_array_equal(preprocessor.images([7])[0], preprocessor.images([6, 7])[1])


def test_bright_fat_leaves_the_brain_as_it_is_under_median_normalisation() -> None:
    fat = VOXELS.copy()
    fat[:, :, :, :8] = 255
    brain = np.s_[:, :, 32:64, 32:64]
    difference = {}
    for normalisation in ("median", "percentile"):
        config = PreprocessingConfig(normalisation=normalisation, clahe=None, size=None)  # type: ignore[arg-type]
        before, after = (Preprocessor(config, voxels).images(range(8))[brain] for voxels in (VOXELS, fat))
        difference[normalisation] = float(np.abs(before - after).mean() / before.mean())
    assert difference["median"] < 0.5 * difference["percentile"]
