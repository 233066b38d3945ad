"""A small data set of synthetic heads on disk, and the quickest honest training configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from metseg.study import write_tiff
from metseg.synthetic import synthetic_study
from metseg.training import TrainingConfig

PATIENTS = 3
SLICES = 8


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients of eight 96-pixel slices, as ``<patient>/<patient>_<k>.tif`` with masks."""
    folder = tmp_path_factory.mktemp("heads")
    for seed in range(PATIENTS):
        study = synthetic_study(seed, slices=SLICES, size=96)
        assert study.mask is not None
        patient = folder / f"head{seed}"
        patient.mkdir()
        for z in range(SLICES):
            write_tiff(patient / f"head{seed}_{z + 1}.tif", study.voxels[:, z].transpose(1, 2, 0))
            write_tiff(patient / f"head{seed}_{z + 1}_mask.tif", study.mask[z] * 255)
    return folder


@pytest.fixture(scope="session")
def quick() -> TrainingConfig:
    return TrainingConfig(
        architecture="attention_unet",
        epochs=2,
        steps_per_epoch=2,
        batch_size=4,
        crop=64,
        preprocessing=TrainingConfig(architecture="attention_unet").preprocessing.model_copy(update={"size": None}),
    )
