"""The synthetic head is reproducible, head-like, and its mask is true."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from metseg.errors import DataError
from metseg.lesions import Target, label_lesions
from metseg.study import TRIPLET, Sequence, Study
from metseg.synthetic import LesionSpec, synthetic_study, synthetic_targets

pytestmark = pytest.mark.slow


def test_the_study_is_complete(head: Study) -> None:
    assert head.name == "synthetic-head-0"
    assert head.voxels.shape == (3, 32, 256, 256)
    assert head.voxels.dtype == np.uint8
    assert head.sequences == TRIPLET
    assert head.slices == ()
    assert head.mask is not None
    assert head.mask.dtype == np.uint8
    assert set(np.unique(head.mask)) == {0, 1}
    assert head.geometry.spacing == pytest.approx((4.875, 0.9375, 0.9375))


def test_a_seed_gives_the_same_head_again() -> None:
    one, again, other = (synthetic_study(seed, slices=12, size=96) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.voxels, again.voxels)
    np.testing.assert_array_equal(one.mask, again.mask)
    assert np.mean(one.voxels != other.voxels) > 0.5


def test_drawing_leaves_numpys_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    synthetic_study(1, slices=8, size=64)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_full_size_head_takes_less_than_eight_seconds_of_cpu(runs_within) -> None:
    runs_within(8, lambda: synthetic_study(7))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_every_lesion_is_brighter_on_flair_than_the_brain_around_it(seed: int) -> None:
    study = synthetic_study(seed, slices=20, size=160)
    assert study.mask is not None
    flair = study.voxels[study.channel(Sequence.FLAIR)].astype(float)
    near = ndimage.binary_dilation(study.mask, np.ones((1, 3, 3)), iterations=6)
    apart = ~ndimage.binary_dilation(study.mask, np.ones((1, 3, 3)), iterations=2)
    around = flair[near & apart]
    brain = np.median(around[around > 30])
    labels = label_lesions(study.mask)
    sizes = np.bincount(labels.ravel())
    large = [label for label in range(1, len(sizes)) if sizes[label] >= 60]
    assert len(large) >= 2
    for label in large:
        assert np.median(flair[labels == label]) > 1.25 * brain


def test_the_mask_holds_nearly_everything_bright_inside_the_brain(head: Study, healthy: Study) -> None:
    assert head.mask is not None
    brighter = head.voxels[1].astype(float) - healthy.voxels[1] > 25
    covered = np.count_nonzero(brighter & (head.mask == 1)) / np.count_nonzero(brighter)
    assert covered > 0.85
    assert np.count_nonzero(brighter & (head.mask == 1)) / np.count_nonzero(head.mask) > 0.6


def test_with_and_without_lesions_a_seed_gives_the_same_head_elsewhere(head: Study, healthy: Study) -> None:
    assert head.mask is not None
    far = ~ndimage.binary_dilation(head.mask, np.ones((3, 3, 3)), iterations=10)
    assert far.mean() > 0.5
    assert np.mean(head.voxels[:, far] != healthy.voxels[:, far]) < 0.005


def test_lesions_are_as_many_as_asked_for() -> None:
    centres = [(18.0, 120.0, 85.0), (20.0, 150.0, 165.0), (22.0, 90.0, 155.0)]
    specs = [LesionSpec(kind="solid", centre=c, radius=7, oedema=3, irregularity=0.1) for c in centres]
    study = synthetic_study(5, lesions=specs)
    labels = label_lesions(study.mask)
    assert labels.max() == 3
    assert all(labels[tuple(int(c) for c in centre)] for centre in centres)


def test_by_default_there_are_several_lesions_on_several_slices(head: Study) -> None:
    assert head.mask is not None
    sizes = np.bincount(label_lesions(head.mask).ravel())[1:]
    assert np.count_nonzero(sizes >= 60) >= 3
    assert head.mask.any(axis=(1, 2)).sum() >= 10
    assert 1000 < head.mask.sum(axis=(1, 2)).max() < 8000


@pytest.fixture(scope="module")
def enhancing() -> Study:
    return synthetic_study(0, target=Target.ENHANCING_LESION)


def test_what_enhances_has_a_mask_of_its_own(head: Study, enhancing: Study) -> None:
    assert head.mask is not None
    assert enhancing.mask is not None
    np.testing.assert_array_equal(enhancing.voxels, head.voxels)
    assert np.mean(head.mask[enhancing.mask == 1]) > 0.95, "oedema surrounds what enhances"
    assert 0 < enhancing.mask.sum() < 0.4 * head.mask.sum(), "oedema and the glioma do not enhance"


@pytest.mark.parametrize("seed", range(6))
def test_metastases_are_of_all_sizes(seed: int) -> None:
    mask = synthetic_targets(seed)[Target.ENHANCING_LESION].mask
    sizes = np.bincount(label_lesions(mask).ravel())[1:]
    assert len(sizes) >= 6
    assert np.count_nonzero(sizes < 30) >= 2
    assert sizes.max() >= 500


def test_metastases_are_bright_after_contrast_and_vessels_are_too(enhancing: Study, healthy: Study) -> None:
    assert enhancing.mask is not None
    post, plain = (study.voxels[2].astype(float) for study in (enhancing, healthy))
    brain = np.median(plain[18][plain[18] > 40])
    labels = label_lesions(enhancing.mask)
    brightest = [np.percentile(post[labels == label], 90) for label in range(1, labels.max() + 1)]
    assert min(brightest) > 1.15 * brain
    assert np.median(brightest) > 1.4 * brain
    assert np.count_nonzero((post > 1.5 * brain) & (enhancing.mask == 0) & (post == plain)) > 1000


def test_a_large_metastasis_has_a_dark_core_inside_its_outline(enhancing: Study) -> None:
    assert enhancing.mask is not None
    labels = label_lesions(enhancing.mask)
    largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    post = enhancing.voxels[2].astype(float)
    assert np.percentile(post[largest], 10) < 0.6 * np.percentile(post[largest], 90)


def test_one_head_serves_both_targets() -> None:
    both = synthetic_targets(3, slices=12, size=96)
    assert list(both) == list(Target)
    for target, study in both.items():
        np.testing.assert_array_equal(study.mask, synthetic_study(3, slices=12, size=96, target=target).mask)


def test_a_healthy_head_has_an_empty_mask(healthy: Study) -> None:
    assert healthy.mask is not None
    assert not healthy.mask.any()


def test_the_three_sequences_differ(healthy: Study) -> None:
    pre, flair, post = healthy.voxels.astype(float)
    inside = ndimage.binary_fill_holes(flair[18] > 25)
    for one, other in ((pre, flair), (flair, post), (pre, post)):
        assert np.abs(one[18] - other[18])[inside].mean() > 5
    assert np.count_nonzero(post[18][inside] > 1.6 * np.maximum(pre, flair)[18][inside]) > 20, (
        "no vessel took up contrast"
    )


def test_it_has_the_outline_of_a_head(healthy: Study) -> None:
    flair = healthy.voxels[1].astype(float)
    outlines = np.stack([ndimage.binary_fill_holes(ndimage.binary_opening(plane > 25)) for plane in flair])
    areas = outlines.sum(axis=(1, 2))
    middle = outlines[16]
    rows, columns = np.flatnonzero(middle.any(axis=1)), np.flatnonzero(middle.any(axis=0))
    length, width = np.ptp(rows), np.ptp(columns)
    assert 180 < length < 230
    assert 140 < width < 185
    assert areas[-4] < 0.6 * areas[16], "the vertex is not narrower than the middle"
    assert flair[:, :8, :8].mean() < 8
    scalp = middle & ~ndimage.binary_erosion(middle, iterations=5)
    brain = ndimage.binary_erosion(middle, iterations=22)
    contrast = np.percentile(flair[16][scalp], 75) / np.median(flair[16][brain])
    assert 1.4 < contrast < 2.5, "three quarters of 17 public FLAIR examinations lie within"


def test_left_and_right_resemble_each_other_but_are_not_mirrored(healthy: Study) -> None:
    plane = ndimage.gaussian_filter(healthy.voxels[0, 16].astype(float), 2)
    shifted = [np.corrcoef(plane.ravel(), np.roll(plane[:, ::-1], s, axis=1).ravel())[0, 1] for s in range(-8, 9)]
    assert 0.75 < max(shifted) < 0.995


def test_brain_holds_fluid_white_and_grey_matter(healthy: Study) -> None:
    pre = healthy.voxels[0, 16].astype(float)
    brain = ndimage.binary_erosion(ndimage.binary_fill_holes(pre > 25), iterations=24)
    level = np.median(pre[brain])
    assert 0.01 < np.mean(pre[brain] < 0.5 * level) < 0.25, "ventricles and sulci"
    low, high = np.percentile(pre[brain], [15, 85])
    assert high / low > 1.12, "white and grey matter look the same"


def test_background_noise_is_rician(healthy: Study) -> None:
    corner = healthy.voxels[:, :, :12, :12].astype(float)
    assert corner.min() >= 0
    assert (corner.std(axis=(1, 2, 3)) > 0.5).all()
    assert (corner.mean(axis=(1, 2, 3)) > 1).all()


@pytest.mark.parametrize(("slices", "size"), [(7, 256), (32, 63), (0, 0)])
def test_a_head_too_small_to_draw_is_refused(slices: int, size: int) -> None:
    with pytest.raises(DataError, match="at least 8 slices"):
        synthetic_study(0, slices=slices, size=size)


def test_any_grid_covers_the_whole_head() -> None:
    study = synthetic_study(2, slices=10, size=128)
    assert study.geometry.spacing == pytest.approx((15.6, 1.875, 1.875))
    assert study.shape == (10, 128, 128)
