"""Lesions can be drawn into any head, and look as they should on each sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metseg.lesions import Target
from metseg.study import TRIPLET, Sequence, Study, find_studies, load
from metseg.synthetic import LesionSpec, draw_lesion

SPACING = (4.0, 1.0, 1.0)
CENTRE = (6.0, 40.0, 40.0)


def plain_brain(dtype: type = np.uint8) -> np.ndarray:
    """Uniform tissue of 80, 60 and 70 with a little noise."""
    noise = np.random.default_rng(0).normal(0, 1.5, (3, 12, 80, 80))
    return np.clip(noise + np.array([80, 60, 70])[:, None, None, None], 0, 255).astype(dtype)


def empty() -> np.ndarray:
    return np.zeros((12, 80, 80), np.uint8)


def drawn(**changes: object) -> tuple[np.ndarray, np.ndarray]:
    spec = LesionSpec.model_validate({"kind": "ring", "centre": CENTRE, "radius": 9, "irregularity": 0.0, **changes})
    return draw_lesion(plain_brain(), empty(), spec, spacing=SPACING)


def test_a_ring_is_bright_after_contrast_around_a_dark_core() -> None:
    voxels, mask = drawn(kind="ring")
    pre, flair, post = (channel[6].astype(float) for channel in voxels)
    core = post[38:43, 38:43].mean()
    profile = post[40, 40:60]
    assert core < 0.7 * 70
    assert profile.max() > 1.6 * 70
    assert 4 <= profile.argmax() <= 12
    rim = 40 + int(profile.argmax())
    assert pre[40, rim] == pytest.approx(80, abs=14), "bright before contrast already"
    assert flair[40, rim] > 1.2 * 60
    assert mask[6, 40, 40] == 1


def test_a_solid_lesion_takes_up_contrast_throughout() -> None:
    voxels, _ = drawn(kind="solid", radius=6)
    assert voxels[2, 6, 38:43, 38:43].mean() > 1.6 * 70


def test_an_infiltrative_lesion_is_bright_on_flair_only() -> None:
    voxels, mask = drawn(kind="infiltrative", radius=14)
    pre, flair, post = (channel[mask == 1].astype(float).mean() for channel in voxels)
    assert flair > 1.4 * 60
    assert pre < 80
    assert post < 70


def test_the_mask_of_what_enhances_leaves_the_oedema_out_and_keeps_the_core() -> None:
    spec = LesionSpec(kind="ring", centre=CENTRE, radius=9, oedema=8, irregularity=0.0)
    voxels, mask = draw_lesion(plain_brain(), empty(), spec, spacing=SPACING, target=Target.ENHANCING_LESION)
    np.testing.assert_array_equal(voxels, drawn(oedema=8)[0])
    assert mask[6, 40, 40] == 1
    assert mask.sum() == pytest.approx(4 / 3 * np.pi * 9**3 / 4.0, rel=0.3)
    glioma = LesionSpec(kind="infiltrative", centre=CENTRE, radius=12)
    assert not draw_lesion(plain_brain(), empty(), glioma, spacing=SPACING, target=Target.ENHANCING_LESION)[1].any()


def test_wider_oedema_makes_a_larger_mask_and_no_oedema_almost_none_beyond_the_tumour() -> None:
    sizes = [int(drawn(oedema=width)[1].sum()) for width in (0, 5, 10)]
    assert sizes[0] < 0.6 * sizes[1] < 0.6 * sizes[2]
    ball = 4 / 3 * np.pi * 9**3 / 4.0
    assert sizes[0] == pytest.approx(ball, rel=0.5)


def test_the_mask_is_what_became_brighter_on_flair() -> None:
    voxels, mask = drawn(kind="solid")
    brighter = voxels[1].astype(float) - plain_brain()[1] > 12
    assert np.mean(brighter[mask == 1]) > 0.9
    assert np.count_nonzero(brighter & (mask == 0)) < 0.25 * mask.sum()


def test_what_was_given_is_not_changed_and_other_lesions_stay_in_the_mask() -> None:
    voxels, mask = plain_brain(), empty()
    mask[0, :3, :3] = 1
    kept = voxels.copy(), mask.copy()
    spec = LesionSpec(kind="ring", centre=CENTRE, radius=8)
    _, new = draw_lesion(voxels, mask, spec, spacing=SPACING)
    np.testing.assert_array_equal(voxels, kept[0])
    np.testing.assert_array_equal(mask, kept[1])
    assert new[0, :3, :3].all()
    assert new.sum() > mask.sum()


def test_a_centre_far_outside_changes_nothing() -> None:
    voxels, mask = drawn(centre=(500.0, 40.0, 40.0))
    np.testing.assert_array_equal(voxels, plain_brain())
    assert not mask.any()


def test_a_lesion_at_the_edge_is_cut_off_there() -> None:
    voxels, mask = drawn(centre=(0.0, 1.0, 79.0))
    assert voxels.shape == (3, 12, 80, 80)
    assert mask[0].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_dtype_is_kept(dtype: type) -> None:
    voxels, _ = draw_lesion(
        plain_brain(dtype), empty(), LesionSpec(kind="solid", centre=CENTRE, radius=6), spacing=SPACING
    )
    assert voxels.dtype == dtype


def test_brightness_stays_within_the_dtype() -> None:
    bright = np.full((3, 12, 80, 80), 240, np.uint8)
    spec = LesionSpec(kind="solid", centre=CENTRE, radius=8, enhancement=2.5, flair=2.2)
    voxels, _ = draw_lesion(bright, empty(), spec, spacing=SPACING)
    assert voxels[2, 6, 40, 40] == 255


def test_unknown_channels_are_left_alone_and_flair_alone_will_do() -> None:
    spec = LesionSpec(kind="infiltrative", centre=CENTRE, radius=12)
    picture = plain_brain()[1:]
    voxels, mask = draw_lesion(picture, empty(), spec, spacing=SPACING, sequences=(Sequence.FLAIR, Sequence.OTHER))
    changed = np.abs(voxels.astype(int) - picture).mean(axis=(1, 2, 3))
    assert changed[0] > 5 * changed[1]
    alone, _ = draw_lesion(picture[:1], empty(), spec, spacing=SPACING, sequences=(Sequence.FLAIR,))
    np.testing.assert_array_equal(alone[0], voxels[0])
    assert mask.any()


def test_fluid_inside_a_lesion_stays_dark_and_out_of_the_mask() -> None:
    voxels = plain_brain()
    voxels[:, :, 20:60, 44:52] = 12
    new, mask = draw_lesion(
        voxels, empty(), LesionSpec(kind="infiltrative", centre=CENTRE, radius=18, oedema=4), spacing=SPACING
    )
    assert new[1, 6, 30:50, 46:50].max() < 40
    assert not mask[6, 36:44, 47:49].any()
    assert mask[6, 40, 30:40].mean() > 0.7


@given(
    kind=st.sampled_from(["ring", "solid", "infiltrative"]),
    centre=st.tuples(st.floats(-3, 14), st.floats(-10, 90), st.floats(-10, 90)),
    radius=st.floats(0.5, 20),
    oedema=st.floats(0, 12),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_any_lesion_can_be_drawn_anywhere(
    kind: str, centre: tuple[float, float, float], radius: float, oedema: float, seed: int
) -> None:
    spec = LesionSpec.model_validate(
        {"kind": kind, "centre": centre, "radius": radius, "oedema": oedema, "seed": seed, "irregularity": 0.5}
    )
    before = plain_brain(np.float32)
    voxels, mask = draw_lesion(before, empty(), spec, spacing=SPACING)
    assert np.isfinite(voxels).all()
    assert set(np.unique(mask)) <= {0, 1}
    places = np.argwhere(voxels[1] != before[1])
    if len(places):
        away = np.linalg.norm((places - centre) * np.array(SPACING), axis=1)
        assert away.max() < np.sqrt(3) * (2.2 * (radius + oedema) + 4 + 2 * max(SPACING))
    again, _ = draw_lesion(before, empty(), spec, spacing=SPACING)
    np.testing.assert_array_equal(voxels, again)


def test_a_spec_survives_json_and_refuses_nonsense() -> None:
    spec = LesionSpec(kind="ring", centre=CENTRE, radius=3.25, seed=9)
    assert LesionSpec.model_validate_json(spec.model_dump_json()) == spec
    with pytest.raises(ValidationError):
        LesionSpec(kind="ring", centre=CENTRE, radius=0)
    with pytest.raises(ValidationError):
        LesionSpec.model_validate({"kind": "cyst", "centre": CENTRE, "radius": 3})


@pytest.mark.slow
def test_a_metastasis_can_be_drawn_into_a_real_head(metseg_data: Path) -> None:
    study = _real_study(metseg_data)
    assert study.mask is not None
    z = study.shape[0] // 2
    flair = study.select((Sequence.FLAIR,))[0, z].astype(float)
    free = np.argwhere((flair > 0.8 * np.median(flair[flair > 30])) & (flair < 1.2 * np.median(flair[flair > 30])))
    y, x = free[np.argmin(np.linalg.norm(free - [128, 100], axis=1))]
    spec = LesionSpec(kind="ring", centre=(float(z), float(y), float(x)), radius=8, oedema=8, seed=1)
    voxels, mask = draw_lesion(study.voxels, study.mask, spec, spacing=(5.0, 0.94, 0.94), sequences=study.sequences)
    added = (mask == 1) & (study.mask == 0)
    assert 200 < added.sum() < 5000
    assert voxels.dtype == study.voxels.dtype
    assert voxels[1][added].mean() > 1.2 * study.voxels[1][added].mean()


def _real_study(data: Path) -> Study:
    for files in find_studies(data / "lgg"):
        for study in load(files).studies:
            if study.sequences == TRIPLET and not np.array_equal(study.voxels[0], study.voxels[1]):
                return study
    pytest.skip("no patient with three sequences")
