"""A project keeps whom a case is of, and reads cases whose sequences have a file each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from metseg.curation import Project, relocate
from metseg.curation.adding import adding_studies
from metseg.curation.export import export_project
from metseg.curation.export.manifest import Layout
from metseg.errors import UnreadableFileError
from metseg.events import drain
from metseg.study import Sequence, Study, find_studies, load, write_tiff


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


def test_moved_images_of_one_file_a_sequence_are_found_again(tmp_path: Path) -> None:
    for seed, name in enumerate(("P_t1.tif", "P_flair.tif")):
        put(tmp_path / "data" / "P" / name, seed)
    [study] = load(find_studies(tmp_path / "data")[0]).studies
    project = Project.create(tmp_path / "project")
    project.add(study)
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "data" / "P" / "P_flair.tif", tmp_path / "moved")
    with pytest.raises(UnreadableFileError, match="is gone"):
        project.read_case("P").study()
    assert relocate(project, tmp_path / "data").missing
    assert relocate(project, tmp_path / "moved").found == ("P",)
    assert np.array_equal(project.read_case("P").study().voxels, study.voxels)


@pytest.mark.parametrize("kind", ["NIfTI", "DICOM"])
def test_volumes_of_one_sequence_each_are_read_back(
    tmp_path: Path, head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], kind: str
) -> None:
    folder = tmp_path / "data" / "P"
    folder.mkdir(parents=True)
    for place, name in enumerate(("t1", "flair", "t1ce")):
        saved = save_head_as(tmp_path / name, head.voxels[place].astype(np.uint16) * 37, oblique)
        if kind == "NIfTI":
            shutil.copy(saved["NIfTI PIR" if place else "NIfTI RAS"], folder / f"P_{name}.nii.gz")
            continue
        for path in saved["DICOM"].iterdir():
            data = pydicom.dcmread(path)
            data.SeriesInstanceUID, data.SeriesDescription = f"1.2.{place + 5}", f"{name} tra"
            data.SOPInstanceUID = f"1.2.{place + 5}.{data.InstanceNumber}"
            data.save_as(folder / f"{name}-{path.name}")
    [files] = find_studies(tmp_path / "data")
    [study] = load(files).studies
    assert set(study.sequences) == {Sequence.PRE, Sequence.FLAIR, Sequence.POST}
    assert np.array_equal(study.only(Sequence.PRE, Sequence.FLAIR, Sequence.POST).voxels, head.voxels * np.uint16(37))
    project = Project.create(tmp_path / "project")
    case = project.add(study).name
    again = project.read_case(case).study()
    assert again.sequences == study.sequences
    assert again.geometry == study.geometry
    assert np.array_equal(again.voxels, study.voxels)


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
