"""Simulated metastases lie in brain, apart from each other and from what is outlined, and fit what each channel is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from metseg.lesions import Target
from metseg.study import TRIPLET, Geometry, Study, read_study
from metseg.synthetic import Insertion, MetastasisConfig, insert_metastases, synthetic_study
from metseg.synthetic.brain_map import map_brain
from metseg.synthetic.shape import travel_time

pytestmark = pytest.mark.slow


MANY = MetastasisConfig(count=(6, 6))


@pytest.fixture(scope="module")
def plain() -> Study:
    """A head without lesions whose spacing is not known."""
    study = synthetic_study(3, slices=20, size=192, lesions=())
    return replace(study, geometry=Geometry(), mask=None)


@pytest.fixture(scope="module")
def inserted(plain: Study) -> Insertion:
    return insert_metastases(plain, 1, MANY)


def test_every_voxel_of_the_mask_belongs_to_the_lesion_that_is_listed(inserted: Insertion) -> None:
    assert len(inserted.lesions) >= 4
    np.testing.assert_array_equal(inserted.study.mask, (inserted.labels > 0).astype(np.uint8))
    for lesion in inserted.lesions:
        here = inserted.labels == lesion.label
        assert here.sum() == lesion.voxels >= 2
        assert lesion.slices == tuple(np.flatnonzero(here.any(axis=(1, 2)))[[0, -1]])
        middle = np.mean(np.argwhere(here), axis=0) - lesion.spec.centre
        assert np.linalg.norm(middle * inserted.spacing) < lesion.diameter + lesion.spec.oedema + inserted.spacing[0]


def test_lesions_do_not_touch(inserted: Insertion) -> None:
    grown = ndimage.binary_dilation(inserted.labels > 0, np.ones((3, 3, 3)))
    labels, _ = ndimage.label(grown, np.ones((3, 3, 3)))
    owners = [set(np.unique(inserted.labels[labels == k])) - {0} for k in range(1, labels.max() + 1)]
    assert all(len(owner) == 1 for owner in owners)


def test_pixels_change_only_near_lesions(plain: Study, inserted: Insertion) -> None:
    changed = (inserted.study.voxels != plain.voxels).any(axis=0)
    near = ndimage.binary_dilation(inserted.labels > 0, np.ones((3, 9, 9)), iterations=2)
    assert np.count_nonzero(changed & ~near) < 0.02 * np.count_nonzero(changed)
    assert np.count_nonzero(changed) < 0.1 * changed.size


def test_tumours_take_up_contrast_and_oedema_is_bright_on_flair(plain: Study, inserted: Insertion) -> None:
    gained = inserted.study.voxels.astype(float) - plain.voxels
    for lesion in inserted.lesions:
        here = inserted.labels == lesion.label
        assert np.percentile(gained[2][here], 95) > 10
        assert gained[1][here].mean() > (3 if lesion.diameter > 5 else 0)
        assert gained[0][here].mean() < 4


def test_lesions_lie_in_brain(plain: Study, inserted: Insertion) -> None:
    brain = map_brain(plain.voxels, TRIPLET)
    tissue = brain.full(brain.tissue, plain.shape)
    assert np.mean(tissue[inserted.labels > 0] > 0.3) > 0.97


def test_the_same_seed_and_name_give_the_same_pixels_and_another_of_either_does_not(plain: Study) -> None:
    one, again, other = (insert_metastases(plain, seed).study.voxels for seed in ((4, 1), (4, 1), (4, 2)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (insert_metastases(replace(plain, name="another"), (4, 1)).study.voxels != one).any()


def test_outlines_can_cover_what_enhances_alone(plain: Study) -> None:
    config = MetastasisConfig(count=(4, 4), diameter=(8, 14), bare_share=0)
    whole, bright = (insert_metastases(plain, 2, config, target) for target in Target)
    np.testing.assert_array_equal(whole.study.voxels, bright.study.voxels)
    assert [lesion.spec for lesion in whole.lesions] == [lesion.spec for lesion in bright.lesions]
    assert all(less.voxels < more.voxels for less, more in zip(bright.lesions, whole.lesions, strict=True))


def test_what_was_given_is_not_changed_and_keeps_its_lesions(plain: Study) -> None:
    mask = np.zeros(plain.shape, np.uint8)
    mask[8:12, 60:100, 50:90] = 1
    study = replace(plain, mask=mask.copy())
    before = study.voxels.copy()
    changed = insert_metastases(study, 2, MANY)
    np.testing.assert_array_equal(study.voxels, before)
    np.testing.assert_array_equal(study.mask, mask)
    assert changed.study.mask is not None
    assert changed.study.mask[mask > 0].all()
    assert changed.lesions
    grown = ndimage.binary_dilation(mask, np.ones((3, 3, 3)))
    assert not changed.labels[grown].any()


def test_where_flair_stands_in_for_all_it_still_does_afterwards(plain: Study) -> None:
    flair = replace(plain, voxels=plain.voxels[[1, 1, 1]])
    changed = insert_metastases(flair, 1, MANY)
    assert changed.lesions
    np.testing.assert_array_equal(changed.study.voxels[0], changed.study.voxels[1])
    np.testing.assert_array_equal(changed.study.voxels[2], changed.study.voxels[1])
    gained = changed.study.voxels[2].astype(float) - flair.voxels[2]
    assert gained[changed.labels > 0].mean() > 3


def test_slice_distance_is_the_studys_or_follows_from_the_number_of_slices(plain: Study, inserted: Insertion) -> None:
    assert inserted.spacing[0] == pytest.approx(130 / 18, abs=1.2)
    assert inserted.spacing[1:] == (1.0, 1.0)
    known = replace(plain, geometry=Geometry.spaced((7.8, 1.25, 1.25)))
    assert insert_metastases(known, 1).spacing == (7.8, 1.25, 1.25)


def test_larger_lesions_cover_more_slices_and_voxels(plain: Study) -> None:
    small, large = (
        insert_metastases(plain, 5, MetastasisConfig(count=(5, 5), diameter=(mm, mm), bare_share=1)).lesions
        for mm in (4.0, 18.0)
    )
    assert np.median([lesion.voxels for lesion in large]) > 20 * np.median([lesion.voxels for lesion in small])
    assert max(np.ptp(lesion.slices) for lesion in small) <= 1 < max(np.ptp(lesion.slices) for lesion in large) + 1
    assert all(lesion.spec.kind == "solid" for lesion in small), "no core can be seen at 4 mm"


def test_without_brain_there_is_no_lesion() -> None:
    empty = Study("nothing", np.zeros((3, 6, 64, 64), np.uint8), TRIPLET)
    assert insert_metastases(empty).lesions == ()
    speckle = np.random.default_rng(0).integers(0, 255, (1, 3, 32, 32)).astype(np.uint8)
    insert_metastases(Study("noise", speckle, (TRIPLET[1],)))


@pytest.mark.parametrize("wrong", [{"count": (3, 1)}, {"diameter": (0, 4)}, {"ring_share": 2}, {"typo": 1}])
def test_a_senseless_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MetastasisConfig.model_validate(wrong)


def test_oedema_takes_the_way_round_fluid() -> None:
    slowness = np.ones((1, 9, 9), np.float32)
    slowness[0, :8, 4] = 100
    seeds = np.zeros((1, 9, 9), bool)
    seeds[0, 0, 0] = True
    arrival = travel_time(slowness, seeds, (1, 1, 1), limit=50)
    assert arrival[0, 0, 3] == pytest.approx(3)
    assert arrival[0, 4, 4] > 8
    round_the_end = np.hypot(3, 3) + 5 + np.hypot(1, 1) * 2 + 8
    assert 8 < arrival[0, 0, 8] <= round_the_end + 1
    assert travel_time(slowness, seeds, (1, 1, 1), limit=2)[0, 8, 8] == 2


def test_real_heads_get_their_lesions_in_little_time(metseg_data: Path, runs_within) -> None:
    patients = sorted(path for path in (metseg_data / "lgg").iterdir() if path.is_dir())
    for study in (read_study(patient) for patient in patients[::40]):
        brain = map_brain(study.voxels, study.sequences)
        assert 0.02 < brain.tissue.mean() < 0.4
        changed = insert_metastases(study, 0, MANY)
        runs_within(3, partial(insert_metastases, study, 0, MANY))
        assert len(changed.lesions) >= 4
        gained = changed.study.voxels[1].astype(float) - study.voxels[1]
        assert gained[changed.labels > 0].mean() > 5
