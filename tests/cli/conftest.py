"""A command line to call, a small network to call it with, and patients to call it on."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metseg.cli import main
from metseg.curation import EditKind, Project, Status
from metseg.study import Study, read_study, write_tiff


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


Metseg = Callable[..., Outcome]


@pytest.fixture
def metseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Metseg:
    """Run the command in this process, wide enough that no line is folded."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["metseg", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 0
        written = capsys.readouterr()
        return Outcome(status, written.out, written.err)

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Path:
    """A real checkpoint of a network with random weights, whose threshold calls half of a head a lesion."""
    return write_untrained(tmp_path_factory.mktemp("models") / "random")


WritePatient = Callable[..., Path]


@pytest.fixture
def write_patient(head: Study) -> WritePatient:
    """Write slices of a synthetic head as a patient's folder, with or without masks; each name has noise of its own."""

    def write(folder: Path, *, slices: int = 10, masks: bool = True, channel: int | None = None) -> Path:
        folder.mkdir(parents=True)
        assert head.mask is not None
        noise = np.random.default_rng(zlib.crc32(folder.name.encode())).integers(0, 3, head.voxels.shape, np.uint8)
        voxels = np.where((head.voxels > 0) & (head.voxels < 254), head.voxels + noise, head.voxels)
        for z in range(slices):
            pixels = voxels[:, z].transpose(1, 2, 0) if channel is None else voxels[channel, z]
            write_tiff(folder / f"{folder.name}_{z + 1}.tif", np.ascontiguousarray(pixels))
            if masks:
                write_tiff(folder / f"{folder.name}_{z + 1}_mask.tif", head.mask[z] * np.uint8(255))
        return folder

    return write


@pytest.fixture
def two_cases(tmp_path: Path) -> Callable[..., Path]:
    """Make a project of the cases ``a`` and ``b``, all of whose voxels are labelled 5; some of them are approved."""

    def make(*, approved: str) -> Path:
        project = Project.create(tmp_path / "project")
        for name in ("a", "b"):
            write_tiff(tmp_path / f"{name}.tif", np.full((2, 8, 9), 7, np.uint8))
            project.add(read_study(tmp_path / f"{name}.tif"))
            with project.open_case(name) as case:
                case.commit(np.full(case.shape, 5, np.uint16), EditKind.FILL)
                if name in approved:
                    case.set_status(Status.APPROVED)
        return project.path

    return make
