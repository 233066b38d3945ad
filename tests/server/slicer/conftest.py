"""A project of synthetic heads, a server over it, and volumes as they go over the network."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import nibabel
import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.curation import EditKind, Project, Status
from metseg.server import Settings, create_app
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

SPACING = (3.0, 0.9, 1.1)

Serve = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and a project of three cases; the spacing of ``head_3`` is not known."""
    folder = tmp_path_factory.mktemp("untouched")
    (folder / "images").mkdir()
    made = Project.create(folder / "project")
    for seed in (1, 2, 3):
        voxels = synthetic_study(seed=seed, slices=8, size=64).voxels
        path = folder / "images" / f"head_{seed}.tif"
        write_tiff(path, voxels.transpose(1, 2, 3, 0), channels=True, spacing=None if seed == 3 else SPACING)
        made.add(read_study(path))
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the project is that is served."""
    return tmp_path_factory.mktemp("served") / "here"


@pytest.fixture
def project(untouched: Path, place: Path) -> Project:
    """The project as if nobody had touched it."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(untouched, place)
    return Project.open(place / "project")


@pytest.fixture
def approve(project: Project) -> Callable[[str], None]:
    """Outline something in a case, and approve it."""

    def approve(name: str) -> None:
        with project.open_case(name) as case:
            labels = case.labels.copy()
            labels[2:6, 20:40, 20:40] = 1
            case.commit(labels, EditKind.STROKE)
            case.set_status(Status.APPROVED)

    return approve


@contextmanager
def _client(path: Path, weights: Path, **settings: object) -> Iterator[TestClient]:
    limits = {"samples": 1 << 21, "slices": 40, "upload_mib": 4, "decoders": 1}
    told = Settings.model_validate({"model": "small", "project": path, **limits, **settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(weights))
        with TestClient(create_app(told), base_url="http://localhost", raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def serve(project: Project, weights: Path) -> Serve:
    """Make a client of a server of its own over the project, with further settings."""
    return lambda weights=weights, **settings: _client(project.path, weights, **settings)


@pytest.fixture(scope="session")
def _kept_client(untouched: Path, place: Path, weights: Path) -> Iterator[TestClient]:
    shutil.copytree(untouched, place, dirs_exist_ok=True)
    with _client(place / "project", weights) as client:
        yield client


@pytest.fixture
def slicer(_kept_client: TestClient, project: Project) -> TestClient:
    """A client of a server over the project, without a token; the server is the same for all tests."""
    return _kept_client


@pytest.fixture
def volume_in() -> Callable[[bytes], nibabel.Nifti1Image]:
    """Read a ``.nii.gz``."""
    return lambda content: nibabel.Nifti1Image.from_bytes(gzip.decompress(content))


@pytest.fixture
def as_upload() -> Callable[[np.ndarray, np.ndarray | None], bytes]:
    """Make a ``.nii.gz`` of voxels (x, y, z) and an affine, as Slicer would save it."""
    return lambda voxels, affine: gzip.compress(nibabel.Nifti1Image(voxels, affine).to_bytes())
