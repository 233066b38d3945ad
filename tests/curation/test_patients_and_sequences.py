"""A project keeps whom a case is of, and reads cases whose sequences have a file each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import Project
from metseg.curation.adding import adding_studies
from metseg.curation.export import export_project
from metseg.curation.export.manifest import Layout
from metseg.errors import UnreadableFileError
from metseg.events import drain
from metseg.study import find_studies, load, write_tiff


def put(path: Path, seed: int, pages: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (pages, 8, 7)).astype(np.uint8)
    write_tiff(path, pixels, channels=False)


@pytest.mark.parametrize(
    "names", [["P_t1.tif", "P_flair.tif"], ["P_t1_1.tif", "P_flair_1.tif", "P_t1_2.tif", "P_flair_2.tif"]]
)
def test_a_case_of_one_file_a_sequence_is_read_back(tmp_path: Path, names: list[str]) -> None:
    for seed, name in enumerate(names):
        put(tmp_path / "data" / "P" / name, seed, pages=3 if len(names) == 2 else 1)
    [files] = find_studies(tmp_path / "data")
    [study] = load(files).studies
    project = Project.create(tmp_path / "project")
    project.add(study)
    again = project.read_case("P").study()
    assert again.sequences == ("pre-contrast", "flair")
    assert np.array_equal(again.voxels, study.voxels)
    put(tmp_path / "data" / "P" / names[1], 9, pages=3 if len(names) == 2 else 1)
    with pytest.raises(UnreadableFileError, match="has changed since"):
        project.read_case("P").study()


def test_visits_and_copies_are_exported_to_one_side(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for patient in range(4):
        for visit in (1, 2):
            put(data / f"p{patient}" / f"visit{visit}" / "flair.tif", 2 * patient + visit)
    for visit in (1, 2):
        shutil.copytree(data / "p0" / f"visit{visit}", data / f"other{visit}")
    project = Project.create(tmp_path / "project")
    drain(adding_studies(project, find_studies(data)))
    for case in project.cases():
        with project.open_case(case.name) as session:
            labels = np.zeros(session.shape, np.uint16)
            labels[0, 2, 2] = 1
            from metseg.curation import EditKind, Status

            session.commit(labels, EditKind.IMPORT)
            session.set_status(Status.APPROVED)
    manifest = export_project(project, tmp_path / "out", layout=Layout.PAIRS, held_out=0.5).manifest
    sides: dict[str, set[str]] = {}
    for case in manifest.cases:
        sides.setdefault(case.patient, set()).add(case.side)
    assert all(len(side) == 1 for side in sides.values())
    patients = {case.name: case.patient for case in manifest.cases}
    assert patients["p1_visit1"] == patients["p1_visit2"] == "p1"
    assert len({patients[name] for name in ("p0_visit1", "p0_visit2", "other1", "other2")}) == 1
