"""A project is a folder of cases whose images stay where they are."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status, relocate
from metseg.errors import CaseBusyError, DataError, UnreadableFileError
from metseg.study import Sequence, Study, read_study, write_tiff


def _another(folder: Path, name: str, seed: int = 2) -> Study:
    folder.mkdir(parents=True, exist_ok=True)
    write_tiff(folder / f"{name}.tif", np.random.default_rng(seed).integers(0, 255, (3, 9, 8), np.uint8))
    return read_study(folder / f"{name}.tif")


def test_a_project_is_found_again_with_its_cases(project: Project, tmp_path: Path) -> None:
    for name in ("head_10", "head_9"):
        project.add(_another(tmp_path / "more", name))
    again = Project.open(project.path)
    assert again.description == project.description
    cases = again.cases()
    assert [case.name for case in cases] == ["head", "head_9", "head_10"]
    assert {case.status for case in cases} == {Status.TODO}
    assert not any(case.problem for case in cases)


def test_a_folder_that_is_not_empty_is_no_place_for_a_project(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        Project.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(DataError, match="no project"):
        Project.open(tmp_path)


def test_a_project_of_a_later_version_is_refused(project: Project) -> None:
    path = project.path / "project.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(UnreadableFileError, match="in format 2, of another version of metseg"):
        Project.open(project.path)


def test_adding_twice_changes_nothing_and_other_images_are_refused(
    project: Project, study: Study, tmp_path: Path
) -> None:
    labels = np.zeros(study.shape, np.uint16)
    labels[1, 2, 3] = 7
    with project.open_case("head") as session:
        session.commit(labels, EditKind.STROKE)
        assert project.add(study).name == "head"  # also while somebody edits it
    assert project.add(study).lesions == 1
    np.testing.assert_array_equal(project.read_case("head").labels, labels)
    with pytest.raises(DataError, match="another study of this name"):
        project.add(_another(tmp_path / "other", "head"))
    np.testing.assert_array_equal(project.read_case("head").labels, labels)


def test_a_lost_description_is_written_again_and_the_journal_kept(
    project: Project, study: Study, tmp_path: Path
) -> None:
    with project.open_case("head") as session:
        session.commit(np.ones(study.shape, np.uint16), EditKind.FILL)
    (project.path / "cases" / "head" / "case.json").unlink()
    assert project.cases() == ()
    with pytest.raises(DataError, match="journal of another study"):
        project.add(_another(tmp_path / "other", "head"))
    assert project.add(study).status is Status.CORRECTED
    assert project.read_case("head").labels.all()


def test_a_study_without_files_cannot_be_a_case(project: Project) -> None:
    with pytest.raises(DataError, match="not from a file"):
        project.add(Study("made", np.zeros((1, 2, 3, 4), np.uint8), (Sequence.FLAIR,)))


@pytest.mark.parametrize("name", ["a:b", "..", ".hidden", "x?", "Name", "NAME", "ä" * 100])
def test_any_name_has_a_folder_and_is_found_by_it(project: Project, tmp_path: Path, name: str) -> None:
    made = _another(tmp_path / "more", "file")
    project.add(Study("name", made.voxels, made.sequences, slices=made.slices))
    project.add(Study(name, made.voxels, made.sequences, slices=made.slices))
    with project.open_case(name) as session:
        session.commit(np.ones(made.shape, np.uint8), EditKind.FILL)
    assert {case.name: case.lesions for case in project.cases()} == {"head": 0, "name": 0, name: 1}
    folders = {path.name.casefold() for path in (project.path / "cases").iterdir()}
    assert len(folders) == 3
    assert not any(folder.startswith(".") for folder in folders)


def test_images_are_read_back_and_changed_ones_refused_by_name(project: Project, study: Study) -> None:
    read = project.read_case("head").study()
    np.testing.assert_array_equal(read.voxels, study.voxels)
    assert (read.name, read.geometry, read.sequences) == (study.name, study.geometry, study.sequences)
    path = study.slices[0].image
    write_tiff(path, study.voxels[0] // 2)
    with pytest.raises(UnreadableFileError, match=r"head\.tif: has changed"):
        project.read_case("head").study()
    path.unlink()
    with pytest.raises(UnreadableFileError, match=r"head\.tif: is gone"):
        project.read_case("head").study()


def test_project_and_images_may_move_together(project: Project, study: Study, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    for name in ("data", "project"):
        shutil.move(tmp_path / name, away / name)
    read = Project.open(away / "project").read_case("head").study()
    np.testing.assert_array_equal(read.voxels, study.voxels)
    assert str(tmp_path) not in (away / "project" / "cases" / "head" / "case.json").read_text()


def test_moved_images_are_found_by_their_bytes(project: Project, study: Study, tmp_path: Path) -> None:
    project.add(_another(tmp_path / "data2", "tail"))
    moved = tmp_path / "new" / "deep"
    moved.mkdir(parents=True)
    shutil.move(tmp_path / "data" / "head.tif", moved / "head.tif")
    (tmp_path / "data2" / "tail.tif").unlink()
    decoy = _another(tmp_path / "new" / "a", "head", seed=9).slices[0].image
    changed = _another(tmp_path / "new", "tail", seed=8).slices[0].image
    done = relocate(project, tmp_path / "new")
    assert done.found == ("head",)
    assert done.changed == (changed,)
    assert decoy not in done.changed
    assert [line.split(":")[0] for line in done.missing] == ["tail"]
    np.testing.assert_array_equal(project.read_case("head").study().voxels, study.voxels)
    with pytest.raises(UnreadableFileError, match=r"tail\.tif: is gone"):
        project.read_case("tail").study()


def test_a_damaged_case_is_listed_with_its_problem_and_hides_no_other(project: Project, tmp_path: Path) -> None:
    project.add(_another(tmp_path / "more", "tail"))
    (project.path / "cases" / "tail" / "case.json").write_text('{"format": "metseg-case"')
    first, second = project.cases()
    assert (first.name, first.problem) == ("head", "")
    assert "case.json: damaged" in second.problem
    with pytest.raises(UnreadableFileError, match=r"case\.json"):
        project.read_case("tail")
    with pytest.raises(DataError, match="no case nobody"):
        project.open_case("nobody")


def test_files_of_another_case_are_refused(project: Project, tmp_path: Path) -> None:
    project.add(_another(tmp_path / "more", "tail"))
    cases = project.path / "cases"
    shutil.copytree(cases / "tail" / "journal", cases / "head" / "journal", dirs_exist_ok=True)
    with pytest.raises(UnreadableFileError, match="belongs to another case"):
        project.open_case("head")
    assert "belongs to another case" in project.cases()[0].problem


def test_the_list_is_right_when_its_cache_is_not(project: Project, study: Study) -> None:
    with project.open_case("head", annotator="anna") as session:
        session.commit(np.ones(study.shape, np.uint16), EditKind.FILL)
        session.set_status(Status.APPROVED)
    cache = project.path / "cases" / "head" / "state.json"
    right = project.cases()
    assert right[0].status is Status.APPROVED
    assert right[0].voxels == np.prod(study.shape)
    content = json.loads(cache.read_text())
    content["summary"]["status"] = "todo"
    for text in ("", "{}", json.dumps(content), json.dumps(content | {"segment": "000001.log"})):
        cache.write_text(text)
        assert project.cases() == right
    cache.unlink()
    assert project.cases() == right


def test_the_error_for_a_busy_case_can_be_sent_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CaseBusyError("head", "process 1")))
    assert (error.case, error.holder, str(error)) == ("head", "process 1", str(CaseBusyError("head", "process 1")))
