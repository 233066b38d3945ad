"""A slice is called by the number of its file, or counted from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.curation import Project
from metseg.study import Study, find_studies, load, number_slices, slice_numbers, write_tiff


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("p_9.tif", "p_10.tif", "p_12.tif"), (9, 10, 12)),
        (("a/p0009.tif", "a/p0011.tif"), (9, 11)),
        (("12.tif", "13.tif"), (12, 13)),
        (("p_9.tif", "q_10.tif"), (1, 2)),
        (("p_9.tif", "p_nine.tif"), (1, 2)),
        (("p_9.tif", "p_7.tif"), (1, 2)),
    ],
)
def test_files_that_carry_numbers_give_them(names: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    assert number_slices([(name, 0) for name in names]) == numbers


def test_pages_of_one_file_are_counted_from_one() -> None:
    assert number_slices([("p_9.tif", page) for page in range(3)]) == (1, 2, 3)
    assert slice_numbers(Study("made", np.zeros((1, 3, 4, 4), np.uint8), ("flair",))) == (1, 2, 3)  # type: ignore[arg-type]


def test_study_and_case_call_a_slice_alike(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ada"
    folder.mkdir(parents=True)
    for number in (12, 13, 15):
        write_tiff(folder / f"ada_{number}.tif", np.full((8, 8), number, np.uint8))
    [study] = load(find_studies(folder)[0]).studies
    project = Project.create(tmp_path / "project")
    project.add(study)
    assert slice_numbers(study) == (12, 13, 15)
    assert project.read_case("ada").description.slice_numbers == (12, 13, 15)
