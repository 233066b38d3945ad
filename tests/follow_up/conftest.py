"""Two examinations of a synthetic head whose lesions, and whose turn in the scanner, are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from metseg.lesions import Target
from metseg.study import Geometry, Study
from metseg.study.resampling import image_of
from metseg.synthetic import LesionSpec, synthetic_study

#: How much finer the later examination's grid is.
_FINER = 0.5


@dataclass(frozen=True, eq=False)
class Pair:
    """Examinations, the true mask of the later one before it was turned, and the true turn."""

    before: Study
    after: Study
    unturned: Study
    turn: Any


@pytest.fixture(scope="session")
def turned() -> Callable[[Study], tuple[Study, Any]]:
    """A study, with its mask, as if the head had been turned and shifted in the scanner; and the turn."""

    def turn_head(study: Study) -> tuple[Study, Any]:
        turn = sitk.Euler3DTransform()
        image = image_of(study.voxels[0], study.geometry)
        turn.SetCenter(image.TransformContinuousIndexToPhysicalPoint([size / 2 for size in image.GetSize()]))
        turn.SetRotation(0.08, -0.06, 0.15)
        turn.SetTranslation((6, -4, 5))
        spacing = np.multiply(study.geometry.spacing or (), _FINER)
        z, y, x = (int(size / _FINER) for size in study.shape)
        place = Geometry.spaced((float(spacing[0]), float(spacing[1]), float(spacing[2])))
        grid = image_of(np.zeros((z, y, x), np.uint8), place)

        def moved(volume: npt.NDArray[Any], how: int) -> npt.NDArray[Any]:
            return np.asarray(sitk.GetArrayFromImage(sitk.Resample(image_of(volume, study.geometry), grid, turn, how)))

        voxels = np.stack([moved(channel, sitk.sitkLinear) for channel in study.voxels])
        assert study.mask is not None  # moved by the nearest, which keeps volumes: interpolation would cut caps off
        return Study("later", voxels, study.sequences, moved(study.mask, sitk.sitkNearestNeighbor), place), turn

    return turn_head


@pytest.fixture(scope="session")
def make_pair(turned: Callable[[Study], tuple[Study, Any]]) -> Callable[..., Pair]:
    """Two examinations of one head with lesions of (z, y, x), radius in mm and seed; the later head is turned."""

    def make(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> Pair:
        earlier, later = (
            synthetic_study(
                5,
                slices=40,
                size=96,
                target=Target.ENHANCING_LESION,
                lesions=[
                    LesionSpec(kind="solid", centre=centre, radius=radius, oedema=1, irregularity=0.2, seed=seed)
                    for *centre, radius, seed in lesions
                ],
            )
            for lesions in (before, after)
        )
        after_turn, turn = turned(later)
        return Pair(earlier, after_turn, later, turn)

    return make


@pytest.fixture(scope="session")
def pair(make_pair: Callable[..., Pair]) -> Pair:
    """Lesions that grew, shrank, stayed, went and came."""
    stays = (26, 44, 62, 6, 3)
    return make_pair(
        [(20, 36, 32, 8, 1), (22, 58, 64, 8, 2), stays, (15, 38, 66, 7, 4)],
        [(20, 36, 32, 11, 1), (22, 58, 64, 6, 2), stays, (17, 62, 44, 7, 6)],
    )
