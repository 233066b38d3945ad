"""Small projects on real files, and what to compare them with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import CaseSession, EditKind, Project, Provenance
from metseg.study import Study, read_study, write_tiff

SHAPE = (4, 12, 14)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of four slices in a file of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    voxels = np.random.default_rng(1).integers(0, 255, SHAPE, np.uint8)
    write_tiff(folder / "head.tif", voxels, spacing=(3.0, 0.5, 0.5))
    return read_study(folder / "head.tif")


@pytest.fixture
def project(tmp_path: Path, study: Study) -> Project:
    """A project with the case ``head``, all labels 0."""
    made = Project.create(tmp_path / "project")
    made.add(study)
    return made


@pytest.fixture
def paint() -> Callable[..., np.ndarray]:
    """Commit a square of a label, on top of what is on the disk, and return the labels then."""

    def paint(
        session: CaseSession, place: tuple[int, int, int], label: int, size: int = 3, kind: EditKind = EditKind.STROKE
    ) -> np.ndarray:
        labels = session.labels.copy()
        z, y, x = place
        labels[z, y : y + size, x : x + size] = label
        session.commit(labels, kind)
        return labels

    return paint


@pytest.fixture
def provenance() -> Provenance:
    """Of some network."""
    return Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5, preprocessing={"size": 256})
