"""Studies, slices and masks are found by their names, in natural order; what is odd is reported by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError, UnreadableFileError
from metseg.study import ProblemKind, StudyFiles, find_studies, load, write_tiff
from metseg.study.files import TEMPORARY_PREFIX

Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Make small TIFFs at the given relative names."""

    def make(*names: str, pages: int = 1) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tiff(path, np.zeros((pages, 4, 5), np.uint8), channels=False)

    return make


def described(studies: list[StudyFiles]) -> dict[str, list[str]]:
    return {
        study.name: [entry.image.name + ("+" if entry.mask is not None else "") for entry in study.slices]
        for study in studies
    }


def reasons(study: StudyFiles) -> list[str]:
    return [f"{problem.path.name}: {problem.reason}" for problem in study.problems]


def test_slices_are_in_natural_order_with_their_masks(tmp_path: Path, put: Put) -> None:
    put(*(f"P/P_{k}.tif" for k in (10, 9, 1, 2, 11, 3, 4, 5, 6, 7, 8)), "P/P_2_mask.tif", "P/P_10_mask.tif")
    [study] = find_studies(tmp_path / "P")
    assert described([study])["P"] == [f"P_{k}.tif{'+' if k in (2, 10) else ''}" for k in range(1, 12)]
    assert study.folder == tmp_path / "P"
    without = [problem.path.name for problem in study.problems if problem.kind is ProblemKind.NO_MASK]
    assert without == [f"P_{k}.tif" for k in (1, 3, 4, 5, 6, 7, 8, 9, 11)]
    assert not any(problem.refused for problem in study.problems)


def test_suffixes_and_mask_endings_may_be_in_any_case(tmp_path: Path, put: Put) -> None:
    put("P/P_1.TIF", "P/P_1_MASK.tiff", "P/P_2.Tiff", "P/P_2_mask.TIF")
    [study] = find_studies(tmp_path / "P")
    assert described([study]) == {"P": ["P_1.TIF+", "P_2.Tiff+"]}
    assert study.problems == ()
    [single] = find_studies(tmp_path / "P" / "P_1.TIF")
    assert described([single]) == {"P_1": ["P_1.TIF+"]}


def test_one_series_is_named_after_its_folder(tmp_path: Path, put: Put) -> None:
    put("head/1.tif", "head/2.tif", "other/slice-1.tif", "other/slice-2.tif")
    assert described(find_studies(tmp_path)) == {"head": ["1.tif", "2.tif"], "other": ["slice-1.tif", "slice-2.tif"]}


def test_series_of_several_patients_in_one_folder_are_kept_apart(tmp_path: Path, put: Put) -> None:
    put("all/A_1.tif", "all/A_2.tif", "all/B_1.tif", "all/B_1_mask.tif", "all/scan.tif")
    assert described(find_studies(tmp_path / "all")) == {
        "A": ["A_1.tif", "A_2.tif"],
        "B": ["B_1.tif+"],
        "scan": ["scan.tif"],
    }


def test_numbered_files_of_several_pages_are_studies_of_their_own(tmp_path: Path, put: Put) -> None:
    put("all/case_1.tif", "all/case_2.tif", "all/case_2_mask.tif", pages=3)
    assert described(find_studies(tmp_path / "all")) == {"case_1": ["case_1.tif"], "case_2": ["case_2.tif+"]}


def test_patients_are_found_at_any_depth(tmp_path: Path, put: Put) -> None:
    put("data/lgg/P10/P10_1.tif", "data/lgg/P9/P9_1.tif", "data/hgg/deeper/Q/Q_1.tif")
    assert list(described(find_studies(tmp_path / "data"))) == ["Q", "P9", "P10"]


def test_patients_of_the_same_name_get_their_folders_names_too(tmp_path: Path, put: Put) -> None:
    put("a/site1/p1/p1_1.tif", "a/site2/p1/p1_1.tif", "a/site2/p2/p2_1.tif")
    assert list(described(find_studies(tmp_path / "a"))) == ["site1_p1", "site2_p1", "p2"]
    put("b/P.tif", "b/P_1.tif", "b/P_2.tif")
    assert described(find_studies(tmp_path / "b")) == {"P": ["P.tif"], "P_series": ["P_1.tif", "P_2.tif"]}


def test_studies_named_after_their_folder_are_visits_of_one_patient(tmp_path: Path, put: Put) -> None:
    put(
        "D/A-1/A-1-0.tif",
        "D/A-1/A-1-0_mask.tif",
        "D/A-1/A-1-3.tif",
        "D/A-2/A-2-0.tif",
        "D/B/B-0.tif",
        "D/B/C-0.tif",
        pages=2,
    )
    put("D/E/E_1.tif", "D/E/E_2.tif")
    found = {study.name: study.patient for study in find_studies(tmp_path / "D")}
    assert found == {"A-1-0": "A-1", "A-1-3": "A-1", "A-2-0": "A-2", "B-0": "B-0", "C-0": "C-0", "E": "E"}


def test_a_folder_that_is_asked_about_itself_holds_patients(tmp_path: Path, put: Put) -> None:
    put("patient/patient_1.tif", "patient/patient_2.tif", pages=2)
    found = {study.name: study.patient for study in find_studies(tmp_path / "patient")}
    assert found == {"patient_1": "patient_1", "patient_2": "patient_2"}


def test_gaps_are_reported(tmp_path: Path, put: Put) -> None:
    put(*(f"P/P_{k}.tif" for k in (3, 4, 6, 10, 19960909)))
    [study] = find_studies(tmp_path / "P")
    assert reasons(study) == ["P: P: missing slices 5, 7-9, 11-19960908"]
    assert study.problems[0].kind is ProblemKind.GAP


def test_duplicates_are_reported_and_only_the_first_is_used(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", "P/P_01.tif", "P/P_2.tif", "P/P_2.tiff", "P/Q.tif", "P/Q.tiff")
    put("P/P_3.tif", "P/P_3_mask.tif", "P/P_3_mask.tiff")
    studies = find_studies(tmp_path / "P")
    assert described(studies) == {"P": ["P_1.tif", "P_2.tif", "P_3.tif"], "Q": ["Q.tif"]}
    assert reasons(studies[0]) == [
        "P_01.tif: has the same number as P_1.tif and was left out",
        "P_2.tiff: has the same name as P_2.tif and was left out",
        "P_3_mask.tif: the slice has more than one mask (P_3_mask.tif and P_3_mask.tiff); none was used",
    ]
    assert reasons(studies[1]) == ["Q.tiff: has the same name as Q.tif and was left out"]
    assert all(problem.refused for study in studies for problem in study.problems)


def test_masks_without_image_are_reported(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", "P/P_1_mask.tif", "P/P_2_mask.tif")
    [study] = find_studies(tmp_path / "P")
    assert reasons(study) == ["P_2_mask.tif: is a mask without an image"]
    put("M/M_1_mask.tif")
    with pytest.raises(DataError, match=r"no image in it(.|\n)*M_1_mask\.tif: is a mask without an image"):
        find_studies(tmp_path / "M")


def test_nothing_is_skipped_in_silence(tmp_path: Path, put: Put) -> None:
    put("d/P/P_1.tif", "d/only_masks/x_1_mask.tif")
    (tmp_path / "d/P/P_1.json").write_text("{}")
    (tmp_path / "d/P/notes.txt").write_text("")
    (tmp_path / "d/P/P_2.png").write_text("")
    (tmp_path / "d/empty").mkdir()
    (tmp_path / "d/empty.tif").mkdir()
    (tmp_path / "d/README.md").write_text("beside the patients, where no images are expected")
    [study] = find_studies(tmp_path / "d")
    assert sorted(reasons(study)) == [
        "P: 2 files are no image and not read: notes.txt, P_2.png",
        "empty.tif: no image in this folder",
        "empty: no image in this folder",
        "x_1_mask.tif: is a mask without an image",
    ]
    assert load(study).problems == study.problems


def test_hidden_and_unfinished_files_are_left_out(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", "P/.P_2.tif", "P/.hidden/P_3.tif", f"P/{TEMPORARY_PREFIX}00000000-1-00000000-P_4.tif")
    [study] = find_studies(tmp_path / "P")
    assert described([study]) == {"P": ["P_1.tif"]}
    assert study.problems == ()


@pytest.mark.skipif(os.name != "posix", reason="links need no rights only on POSIX systems")
def test_links_in_a_circle_end_and_broken_ones_are_reported(tmp_path: Path, put: Put) -> None:
    put("d/P/P_1.tif")
    (tmp_path / "d/P/up").symlink_to(tmp_path / "d")
    (tmp_path / "d/again").symlink_to(tmp_path / "d/P")
    (tmp_path / "d/P/P_2.tif").symlink_to(tmp_path / "nowhere.tif")
    (tmp_path / "d/P/P_3.tif").symlink_to(tmp_path / "d/P/P_3.tif")
    [study] = find_studies(tmp_path / "d")
    assert described([study]) == {study.name: ["P_1.tif", "P_2.tif", "P_3.tif"]}
    refused = {problem.path.name: problem.reason for problem in load(study).problems if problem.refused}
    assert refused["P_2.tif"] == "does not exist"
    assert "P_3.tif" in refused


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only on POSIX systems")
def test_names_that_are_no_text_are_found_and_can_be_written_as_json(tmp_path: Path, put: Put) -> None:
    from metseg.events import drain
    from metseg.study import inspect

    put("d/P_1.tif")
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d/caf\xe9")
    os.mkdir(folder)
    os.rename(tmp_path / "d/P_1.tif", os.path.join(folder, "P_1.tif"))
    inspection = drain(inspect(tmp_path))
    assert inspection.studies[0].name == "caf\N{REPLACEMENT CHARACTER}"
    assert "caf" in inspection.model_dump_json()


def test_a_wrong_path_is_a_named_error(tmp_path: Path, put: Put) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_studies(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no image in it"):
        find_studies(tmp_path)
    (tmp_path / "a.xyz").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="of no format that is read, by its name"):
        find_studies(tmp_path / "a.xyz")
    put("a_1_mask.tif")
    with pytest.raises(DataError, match="is a mask by its name"):
        find_studies(tmp_path / "a_1_mask.tif")


@pytest.mark.skipif(os.name != "posix", reason="permissions are set this way only on POSIX systems")
def test_folders_that_may_not_be_opened_are_reported(tmp_path: Path, put: Put) -> None:
    put("d/P/P_1.tif", "d/closed/C_1.tif", "d/listed/L_1.tif")
    for folder in (tmp_path, *tmp_path.parents):
        if folder == tmp_path or folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o755)
    (tmp_path / "d/closed").chmod(0)
    (tmp_path / "d/listed").chmod(0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        studies = find_studies(tmp_path / "d")
        problems = [problem for study in studies for problem in load(study).problems]
    finally:
        if root:
            os.seteuid(0)
        for name in ("closed", "listed"):
            (tmp_path / "d" / name).chmod(0o755)
    assert {problem.path.name: problem.reason for problem in problems if problem.refused} == {
        "closed": "folder cannot be opened: Permission denied",
        "L_1.tif": "may not be read: permission denied",
    }


def test_the_current_folder_has_a_name(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("head/1.tif")
    monkeypatch.chdir(tmp_path / "head")
    assert [study.name for study in find_studies(".")] == ["head"]
