"""A brain reaches the form of the skull-stripped training scans, and what the network says of it comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import affine_transform

from metseg.errors import DataError
from metseg.preprocessing import (
    BrainConfig,
    BrainGrid,
    PreprocessingConfig,
    extraction_problem,
    head_voxels,
    stripped_brain,
)
from metseg.preprocessing.bias_field import correct_bias
from metseg.preprocessing.resampling import resample
from metseg.study import find_studies, load

pytestmark = pytest.mark.slow


CONFIG = BrainConfig()
Scan = tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def scans(metseg_data: Path) -> list[Scan]:
    """Voxels and mask of every skull-stripped scan."""
    loaded = [study for files in find_studies(metseg_data / "mets") for study in load(files).studies]
    return [(study.voxels[0], study.mask) for study in loaded if study.mask is not None]


def stripped(volume: npt.NDArray[np.generic]) -> BrainGrid:
    brain = stripped_brain(volume)
    assert brain is not None
    return BrainGrid.fit(brain, CONFIG, "stripped")


def overlap(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def likeness(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_a_scan_in_the_training_form_passes_voxel_for_voxel(scans: list[Scan]) -> None:
    for volume, mask in scans:
        grid = stripped(volume)
        np.testing.assert_array_equal(grid.forward(volume[None])[0], volume)
        np.testing.assert_array_equal(grid.forward_mask(mask), mask)
        np.testing.assert_array_equal(grid.backward(mask.astype(np.float32)), mask)
    assert len(scans) == 93


def elsewhere(volume: npt.NDArray[np.generic], zoom: tuple[float, float, float], order: int) -> npt.NDArray[np.float64]:
    """``volume`` on a finer grid, off the middle of a larger one, its rows from front to back."""
    shape = (150, 256, 220)
    offset = [-9.3, -20.7, -11.2]
    moved = affine_transform(volume.astype(np.float64), 1 / np.array(zoom), offset, output_shape=shape, order=order)
    return np.asarray(moved[:, ::-1])


def test_a_stripped_scan_on_another_grid_is_brought_to_the_form(scans: list[Scan]) -> None:
    zoom = (1.7, 1.6, 1.4)
    for volume, mask in scans[::13]:
        brighter = elsewhere(volume, zoom, 1) * 11.3
        there = np.where(elsewhere(volume > 0, zoom, 1) > 0.5, brighter + 1, 0).astype(np.uint16)
        lesion = (elsewhere(mask, zoom, 1) >= 0.5).astype(np.uint8)
        grid = stripped(there)
        assert grid.flips == (False, True, False)
        assert likeness(grid.forward(there[None])[0], volume) > 0.97
        mapped = grid.forward_mask(lesion)
        back = grid.backward(mapped.astype(np.float32)) >= 0.5
        assert overlap(back, lesion > 0) > (0.9 if lesion.sum() > 2000 else 0.7)
        assert not back[~grid.brain].any()


@pytest.mark.parametrize("flips", [(True, False), (False, True), (True, True)])
def test_a_brain_is_turned_the_right_way_round(scans: list[Scan], flips: tuple[bool, bool]) -> None:
    turn = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    for volume, _ in scans[::9]:
        grid = stripped(volume[turn])
        assert grid.flips == (*flips, False)
        np.testing.assert_array_equal(grid.forward(volume[turn][None])[0], volume)


def test_a_head_is_not_taken_for_a_stripped_scan(metseg_data: Path) -> None:
    for files in find_studies(metseg_data / "lgg")[::7]:
        for study in load(files).studies:
            assert stripped_brain(study.voxels[2]) is None, study.name


def test_noise_within_a_masked_field_of_view_is_not_taken_for_a_brain() -> None:
    rows, columns = np.indices((200, 200))
    inside = (rows - 100) ** 2 + (columns - 100) ** 2 < 90**2
    volume = np.random.default_rng(0).integers(4, 9, (20, 200, 200)).astype(np.uint16) * inside
    volume[:, 60:140, 70:130] *= 20
    assert stripped_brain(volume) is None


def test_a_constant_volume_is_no_stripped_scan() -> None:
    assert stripped_brain(np.zeros((8, 16, 16), np.uint8)) is None


def test_there_is_no_grid_without_a_brain() -> None:
    with pytest.raises(DataError, match="no brain"):
        BrainGrid.fit(np.zeros((8, 16, 16), np.bool_), CONFIG)


def test_a_single_slice_is_stretched_in_plane_only() -> None:
    brain = np.zeros((1, 200, 200), np.bool_)
    brain[:, 50:150, 60:120] = True
    voxels = np.random.default_rng(0).integers(1, 999, (2, 1, 200, 200)).astype(np.uint16)
    grid = BrainGrid.fit(brain, CONFIG, "head")
    assert grid.forward(voxels).shape == (2, 1, 128, 128) == (2, *grid.shape)
    back = grid.backward(np.ones(grid.shape, np.float32))
    np.testing.assert_array_equal(back > 0.5, brain)


def test_resampling_keeps_the_mean_and_linear_ramps() -> None:
    volume = np.random.default_rng(0).random((12, 20, 30)).astype(np.float32)
    assert resample(volume, (4, 5, 6)).mean() == pytest.approx(volume.mean(), abs=1e-6)
    ramp = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None], (9, 4, 4))
    finer = resample(np.ascontiguousarray(ramp), (27, 4, 4))
    np.testing.assert_allclose(finer[3:-3, 0, 0], (np.arange(27)[3:-3] + 0.5) / 3 - 0.5, atol=1e-5)
    np.testing.assert_array_equal(resample(volume, volume.shape), volume)


def test_a_bias_field_is_taken_out(scans: list[Scan]) -> None:
    volume = scans[0][0].astype(np.float32)
    across = np.linspace(0.6, 1.4, volume.shape[2], dtype=np.float32)
    corrected = correct_bias(volume * across)
    ratio = corrected[volume > 60] / volume[volume > 60]
    before = np.broadcast_to(across, volume.shape)[volume > 60]
    assert ratio.std() / ratio.mean() < 0.4 * before.std() / before.mean()


def test_an_implausible_brain_is_refused() -> None:
    head = np.zeros((20, 64, 64), np.bool_)
    head[:, 8:56, 8:56] = True
    volume = np.where(head, 200, 3).astype(np.uint8)
    np.testing.assert_array_equal(head_voxels(volume), head)
    brain = np.zeros_like(head)
    assert "empty" in extraction_problem(brain, head, None)
    brain[10, 30:34, 30:34] = True
    assert "only" in extraction_problem(brain, head, None)
    assert "of the head" in extraction_problem(head, head, None)
    z, y, x = np.indices(head.shape)
    brain = ((z - 10) / 9) ** 2 + ((y - 32) / 20) ** 2 + ((x - 32) / 17) ** 2 < 1
    assert extraction_problem(brain, head, None) == ""
    assert extraction_problem(brain, head, (5.0, 4.0, 4.0)) == ""
    assert "ml" in extraction_problem(brain, head, (1.0, 1.0, 1.0))
    brain[9:11, :, 31:33] = True
    assert extraction_problem(brain, head, None) == ""
    brain[:, 16:48] = True
    assert "border" in extraction_problem(brain, head, None)
    cross = np.zeros_like(head)
    cross[:, 31:34, 10:54] = cross[:, 10:54, 31:34] = True
    assert "shape" in extraction_problem(cross, head, None)


def test_a_stored_configuration_without_a_brain_stays_valid() -> None:
    assert PreprocessingConfig.model_validate_json("{}").brain is None
    config = PreprocessingConfig(brain=CONFIG)
    assert PreprocessingConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValueError, match="no room"):
        BrainConfig(rim=(32, 10, 10))
