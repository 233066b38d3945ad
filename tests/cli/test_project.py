"""``metseg project``: from images to approved cases without a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status, promote_model
from metseg.curation.default_model import PromotionResult
from metseg.study import Study, write_tiff


@pytest.fixture
def made(metseg: Any, write_patient: Any, tmp_path: Path) -> Path:
    """A project of two cases."""
    for name in ("a", "b"):
        write_patient(tmp_path / "data" / name, slices=3)
    done = metseg("project", "create", tmp_path / "project", "--data", tmp_path / "data")
    assert done.status == 0, done.err
    assert "2 cases added" in done.out
    return tmp_path / "project"


def draw(project: Path, case: str) -> None:
    with Project.open(project).open_case(case) as session:
        labels = session.labels.copy()
        labels[1] = 40000
        session.commit(labels, EditKind.STROKE)


def test_a_project_goes_from_images_to_approved_cases(
    metseg: Any, made: Path, model: Path, head: Study, tmp_path: Path
) -> None:
    waiting = metseg("project", "queue", made)
    assert waiting.status == 0, waiting.err
    assert waiting.out.count("not predicted yet") == 2
    assert "predict it" in metseg("project", "approve", made, "a").err

    predicted = metseg("project", "predict", made, "--model", model)
    assert predicted.status == 0, predicted.err
    assert "2 cases predicted" in predicted.out
    listed = json.loads(metseg("project", "queue", made, "--json").out)
    assert {case["case"] for case in listed["cases"]} == {"a", "b"}
    ranks = [case["rank"] for case in listed["cases"]]
    assert ranks == sorted(ranks, reverse=True)
    assert min(ranks) > 0

    assert head.mask is not None
    (tmp_path / "masks" / "a").mkdir(parents=True)
    for z in (0, 2):
        write_tiff(tmp_path / "masks" / "a" / f"a_{z + 1}_mask.tif", head.mask[z] * np.uint8(255))
    approved = metseg("project", "approve", made, "a", "--masks", tmp_path / "masks", "--annotator", "x1")
    assert approved.status == 0, approved.err
    case = Project.open(made).read_case("a")
    assert case.status is Status.APPROVED
    assert case.statistics().annotators == ("x1",)
    np.testing.assert_array_equal(case.labels[[0, 2]] > 0, head.mask[[0, 2]] > 0)

    assert metseg("project", "reject", made, "b", "--reason", "moved").status == 0
    told = metseg("project", "status", made)
    assert told.status == 0
    assert "1 approved, 1 rejected; 2 of 6 slices looked at (33 %)" in told.out
    assert "rejected: b: moved" in told.out
    assert json.loads(metseg("project", "queue", made, "--json").out)["cases"] == []
    assert "b: is predicted again" in metseg("project", "reopen", made, "b", "--annotator", "x2").out
    assert "neither approved nor rejected" in metseg("project", "reopen", made, "b").err
    assert [case["case"] for case in json.loads(metseg("project", "queue", made, "--json").out)["cases"]] == ["b"]


def test_predicting_goes_on_where_it_stopped_and_leaves_a_persons_work_alone(
    metseg: Any, made: Path, model: Path
) -> None:
    draw(made, "b")
    first = metseg("project", "predict", made, "--model", model)
    assert "1 case predicted\n" in first.out
    assert "1 case left alone because somebody has edited" in first.out
    assert "1 case predicted by this network already" in metseg("project", "predict", made, "--model", model).out

    asked = metseg("project", "predict", made, "--model", model, "--also-edited", "--case", "b")
    assert "1 case predicted\n" in asked.out, asked.err
    case = Project.open(made).read_case("b")
    assert case.status is Status.CORRECTED
    assert (case.labels[1] == 40000).all()
    assert case.prediction() is not None

    other = metseg("project", "predict", made, "--model", model, "--threshold", "0.4", "--case", "a")
    assert "1 case predicted\n" in other.out, other.err


def test_the_network_that_a_project_has_adopted_is_used_unless_another_is_named(
    metseg: Any, made: Path, model: Path
) -> None:
    promote_model(Project.open(made), model, name="random", promotion=PromotionResult.PASSED)
    assert "2 cases predicted\n" in metseg("project", "predict", made).out
    prediction = Project.open(made).read_case("a").prediction()
    assert prediction is not None
    assert prediction.provenance.model == "random"
    assert "nosuch" in metseg("project", "predict", made, "--model", "nosuch").err


def test_an_approved_case_is_predicted_again_only_if_it_is_named(metseg: Any, made: Path, model: Path) -> None:
    draw(made, "a")
    assert metseg("project", "approve", made, "a").status == 0
    left = metseg("project", "predict", made, "--model", model, "--also-edited")
    assert "1 case left alone because they are approved" in left.out
    assert Project.open(made).read_case("a").status is Status.APPROVED


def test_the_slices_of_a_case_come_by_benefit_and_drawn_ones_are_left_out(metseg: Any, made: Path, model: Path) -> None:
    assert "no network has predicted" in metseg("project", "queue", made, "--slices", "a").err
    assert metseg("project", "predict", made, "--model", model, "--threshold", "0.9").status == 0
    rows = json.loads(metseg("project", "queue", made, "--slices", "a", "--json").out)["slices"]
    assert sorted((row["z"], row["slice"]) for row in rows) == [(0, 1), (1, 2), (2, 3)]
    gains = [row["gain"] for row in rows]
    assert gains == sorted(gains, reverse=True)
    draw(made, "a")
    rows = json.loads(metseg("project", "queue", made, "--slices", "a", "--json").out)["slices"]
    assert sorted(row["z"] for row in rows) == [0, 2]


@pytest.mark.parametrize(
    ("name", "mask", "complaint"),
    [
        ("a_2_mask.tif", np.zeros((32, 64), np.uint8), "does not fit a_2.tif"),
        ("a_2_mask.tif", np.arange(64 * 64, dtype=np.uint16).reshape(64, 64), "distinct values"),
        ("c_2_mask.tif", np.zeros((64, 64), np.uint8), "no mask of a"),
    ],
)
def test_masks_that_do_not_fit_are_refused_and_nothing_changes(
    metseg: Any, made: Path, tmp_path: Path, name: str, mask: np.ndarray, complaint: str
) -> None:
    (tmp_path / "masks").mkdir()
    write_tiff(tmp_path / "masks" / name, mask)
    refused = metseg("project", "approve", made, "a", "--masks", tmp_path / "masks")
    assert refused.status == 2
    assert complaint in refused.err
    case = Project.open(made).read_case("a")
    assert case.status is Status.TODO
    assert not case.labels.any()


def test_what_cannot_be_added_or_opened_is_named(metseg: Any, made: Path, model: Path, write_patient: Any) -> None:
    data = made.parent / "data"
    write_patient(data / "c", slices=2)
    (data / "c" / "c_2.tif").write_bytes(b"II*\0")
    again = metseg("project", "create", made, "--data", data)
    assert again.status == 1
    assert "1 case added" in again.out
    assert "3 in all" in again.out
    assert "c_2.tif" in again.err
    (data / "a" / "a_1.tif").unlink()
    predicted = metseg("project", "predict", made, "--model", model)
    assert predicted.status == 1
    assert "2 cases predicted" in predicted.out
    assert "a_1.tif: is gone" in predicted.err
    assert "has no case z" in metseg("project", "predict", made, "--model", model, "--case", "z").err
    assert metseg("project", "reject", made, "a", "--reason", " ").status == 2
