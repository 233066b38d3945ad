"""A project of five examinations of four patients, one of each status and some approved, on real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Provenance, Status
from metseg.study import Study, read_study, write_tiff

SHAPE = (3, 10, 12)


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """A study of single-page slices of three channels in a patient's folder."""

    def make_study(name: str, *, seed: int = 0, spacing: tuple[float, float, float] | None = None) -> Study:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        voxels = np.random.default_rng(seed).integers(0, 255, (*SHAPE, 3), np.uint8)
        for z, pixels in enumerate(voxels, start=1):
            write_tiff(folder / f"{name}_{z}.tif", pixels, channels=True)
        if spacing is not None:
            write_tiff(folder / f"{name}_1.tif", voxels[0], channels=True, spacing=spacing)
        return read_study(folder)

    return make_study


@pytest.fixture
def project(tmp_path: Path, make_study: Callable[..., Study], provenance: Provenance) -> Project:
    """Cases a_1 and a_2 (one patient), b, c approved; d predicted only, e never looked at."""
    made = Project.create(tmp_path / "project")
    for seed, name in enumerate(("a_1", "a_2", "b", "c", "d", "e")):
        made.add(make_study(name, seed=seed, spacing=(5.0, 0.9, 0.8) if name == "b" else None))
    mask = np.zeros(SHAPE, bool)
    mask[1, 2:5, 2:6] = mask[1, 6:9, 8:11] = True
    for name in ("a_1", "d"):
        with made.open_case(name, annotator="rater 1") as case:
            case.predict(case.plan_prediction(mask), mask * np.float32(0.8), provenance)
            if name == "a_1":
                labels = case.labels.copy()
                labels[2, 2:4, 2:6] = 1  # one lesion of the model's is edited, the other is not
                labels[0, 0:2, 0:2] = case.next_label
                case.commit(labels, EditKind.STROKE)
                case.set_status(Status.APPROVED)
    for name in ("a_2", "b", "c"):
        with made.open_case(name, annotator="rater 2") as case:
            labels = case.labels.copy()
            if name != "c":  # c is healthy
                labels[:, 4:7, 5:9] = 1
                labels[0, 4:7, 9:11] = 2  # two lesions that touch
                case.commit(labels, EditKind.POLYGON)
            case.set_status(Status.APPROVED)
    return made


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, by its path there."""

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return contents
