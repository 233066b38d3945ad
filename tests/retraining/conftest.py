"""A project of approved cases, the data its parent network was trained on, and that network: tiny, but real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import Checkpoint, ModelCard, TrainingRecord, load_checkpoint, save_checkpoint
from metseg.curation import EditKind, Project, Status
from metseg.lesions import PostprocessingConfig
from metseg.networks import build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.retraining import RetrainingConfig
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study
from metseg.training import TrainingConfig

SLICES, SIDE = 4, 64


def write_patient(folder: Path, seed: int, *, masks: bool = True) -> np.ndarray:
    """Write the middle slices of a synthetic head; its mask."""
    study = synthetic_study(seed, slices=8, size=SIDE)
    assert study.mask is not None
    folder.mkdir(parents=True)
    for z in range(SLICES):
        write_tiff(folder / f"{folder.name}_{z + 1}.tif", study.voxels[:, z + 2].transpose(1, 2, 0))
        if masks:
            write_tiff(folder / f"{folder.name}_{z + 1}_mask.tif", study.mask[z + 2] * np.uint8(255))
    return study.mask[2 : 2 + SLICES]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    for seed in range(3):
        write_patient(folder / f"old{seed}", seed)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six approved cases, five of new patients, and ``old0``, whom the parent knows; one more is not approved."""
    folder = tmp_path_factory.mktemp("review")
    made = Project.create(folder / "project")
    for name, seed in [("old0", 0), *((f"new{number}", 10 + number) for number in range(6))]:
        mask = write_patient(folder / "images" / name, seed, masks=False)
        made.add(read_study(folder / "images" / name))
        with made.open_case(name) as case:
            case.commit(mask.astype(np.uint16), EditKind.STROKE)
            if name != "new5":
                case.set_status(Status.APPROVED)
    return made.path


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    import torch

    torch.manual_seed(0)
    recipe = TrainingConfig(
        architecture="attention_unet", batch_size=4, crop=64, preprocessing=PreprocessingConfig(size=None)
    )
    card = ModelCard(
        name="parent",
        network=recipe.network,
        preprocessing=recipe.preprocessing,
        postprocessing=PostprocessingConfig(threshold=0.4, min_lesion_voxels=3),
        training=TrainingRecord(
            config=recipe.model_dump(mode="json"), patients=("old0", "old1"), held_out=("old2",), data="drawn"
        ),
    )
    folder = tmp_path_factory.mktemp("models") / "parent"
    return load_checkpoint(save_checkpoint(folder, build_network(recipe.network), card))


@pytest.fixture(scope="session")
def short(
    project: Path, original: Path, parent: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> RetrainingConfig:
    """Two epochs of one step; seed and share are such that ``old0`` would be held out if nobody knew better."""
    return RetrainingConfig(
        project=project,
        parent=str(parent.path),
        data=(original,),
        out=tmp_path_factory.mktemp("runs") / "child",
        epochs=2,
        steps_per_epoch=1,
        held_out=0.5,
        seed=1,
    )
