"""Simulated growth in real heads: matches right, volumes within five per cent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.events import drain
from metseg.follow_up import FollowUpChange, following
from metseg.lesions import Target, label_lesions, measure
from metseg.study import Geometry, Sequence, Study, read_study
from metseg.synthetic import MetastasisConfig, draw_lesion, insert_metastases

_SPACING = (2.4, 1.6, 1.3)
#: By how much radii change, in turn; 0 is gone.
_FACTORS = (1.25, 0.8, 1.0, 0.0)
_EXPECTED = (FollowUpChange.GROWN, FollowUpChange.SHRUNK, FollowUpChange.UNCHANGED, FollowUpChange.GONE)


def _with_lesions(head: Study, specs: list[Any]) -> Study:
    voxels, mask = head.voxels, np.zeros(head.shape, np.uint8)
    for spec in specs:
        voxels, mask = draw_lesion(
            voxels, mask, spec, spacing=_SPACING, sequences=(Sequence.POST,), target=Target.ENHANCING_LESION
        )
    return replace(head, voxels=voxels, mask=mask)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 20, 40, 60])
def test_growth_in_real_heads_is_found(
    metseg_data: Path, turned: Callable[[Study], tuple[Study, Any]], number: int
) -> None:
    folder = metseg_data / "mets"
    if not folder.is_dir():
        pytest.skip(f"METSEG_DATA has no mets folder: {folder}")
    scan = sorted(path for path in folder.glob("*/*.tif") if not path.stem.endswith("_mask"))[number]
    real = read_study(scan, (Sequence.POST,)).with_geometry(Geometry.spaced(_SPACING))
    config = MetastasisConfig(count=(8, 8), diameter=(10, 16), bare_share=1, irregularity=(0.1, 0.3))
    placed = [one.spec for one in insert_metastases(real, 1, config, Target.ENHANCING_LESION).lesions]
    assert len(placed) >= 4
    grown = [
        spec.model_copy(update={"radius": spec.radius * _FACTORS[place % 4]})
        for place, spec in enumerate(placed)
        if _FACTORS[place % 4]
    ]
    before, unturned = _with_lesions(real, placed), _with_lesions(real, grown)
    after, turn = turned(unturned)
    result = drain(following(before, after))
    affine = after.geometry.lps
    assert affine is not None
    points = np.argwhere(after.mask)[::97, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    errors = [np.linalg.norm(result.transform.matrix[:3] @ [*p, 1] - turn.TransformPoint(p.tolist())) for p in points]
    truth = label_lesions(unturned.mask)
    drawn = {lesion.id: lesion.volume_mm3 for lesion in measure(truth, spacing=_SPACING)}
    wrong, volumes = [], []
    for place, spec in enumerate(placed):
        at = tuple(round(value) for value in spec.centre)
        [lesion] = [one for one in result.lesions if one.number == result.labels_before[at]]
        factor = _FACTORS[place % 4]
        wanted = _EXPECTED[place % 4]
        wrong += [(place, lesion.change, wanted)] * (lesion.change is not wanted)
        if factor and truth[at]:
            volumes.append(lesion.volumes[1] / drawn[int(truth[at])] - 1)
    print(f"{scan.stem}: {len(placed)} lesions, registration {max(errors):.3f} mm, volumes {np.round(volumes, 3)}")
    assert not wrong
    assert max(errors) < 0.5
    assert np.abs(volumes).max() < 0.05
