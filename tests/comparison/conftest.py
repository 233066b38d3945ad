"""Two models whose cards say who trained them, and patients to compare them on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metseg.study import write_tiff
from metseg.synthetic import synthetic_study

PATIENTS = ("a", "b", "c", "d")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic patients of four 64-pixel slices."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(PATIENTS):
        study = synthetic_study(seed, slices=10, size=64)
        assert study.mask is not None
        most = int(study.mask.sum(axis=(1, 2)).argmax())
        first = min(max(most - 2, 0), 6)
        (folder / name).mkdir()
        for k in range(4):
            z = first + k
            write_tiff(folder / name / f"{name}_{k + 1}.tif", study.voxels[:, z].transpose(1, 2, 0))
            write_tiff(folder / name / f"{name}_{k + 1}_mask.tif", study.mask[z] * 255)
    return folder


MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """Write a checkpoint with random weights, and a card that names its patients."""
    import torch

    from metseg.checkpoints import ModelCard, TrainingRecord, save_checkpoint
    from metseg.networks import NetworkSpec, build_network
    from metseg.preprocessing import PreprocessingConfig

    spec = NetworkSpec.of("attention_unet")

    def make(folder: Path, seed: int, held_out: str) -> Path:
        torch.manual_seed(seed)
        trained = tuple(name for name in PATIENTS if name not in held_out)
        card = ModelCard(
            name=folder.name,
            network=spec,
            preprocessing=PreprocessingConfig(size=64),
            training=TrainingRecord(patients=trained, held_out=tuple(held_out)),
        )
        save_checkpoint(folder, build_network(spec), card)
        return folder

    return make


@pytest.fixture(scope="session")
def single(make_model: MakeModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that held out a, b and c; with the log of its training."""
    folder = make_model(tmp_path_factory.mktemp("models") / "single", 0, "abc")
    (folder / "log.csv").write_text(
        "epoch,loss,mean_dice,median_dice,worst_dice,learning_rate,seconds\n1,0.9,,,,0.001,5\n2,0.5,0.7,0.8,0.1,0,5\n"
    )
    return folder


@pytest.fixture(scope="session")
def folds(make_model: MakeModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validated model of two folds: the first held out a and d, the second b and c."""
    folder = tmp_path_factory.mktemp("runs") / "folded"
    make_model(folder / "fold_0", 1, "ad")
    make_model(folder / "fold_1", 2, "bc")
    return folder
