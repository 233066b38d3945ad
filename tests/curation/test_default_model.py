"""Which network a project asks first: only one that passed the promotion check, unless somebody insists."""

from __future__ import annotations

from pathlib import Path

import pytest

from metseg.curation import Project, PromotionResult, promote_model
from metseg.errors import DataError, UnreadableFileError


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "run" / "model.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    return file


def test_a_model_that_passed_is_asked_first_wherever_the_folders_are_moved_together(
    tmp_path: Path, weights: Path
) -> None:
    project = Project.create(tmp_path / "project")
    assert project.default_model is None
    promoted = promote_model(project, weights, name="child", promotion=PromotionResult.PASSED, reason="no worse")
    assert promoted.path == "../run/model.safetensors"
    assert (promoted.promotion, promoted.reason, promoted.forced) == (PromotionResult.PASSED, "no worse", False)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("project", "run"):
        (tmp_path / name).rename(moved / name)
    there = Project.open(moved / "project")
    assert there.default_model == promoted
    assert there.default_model.located(there).resolve() == moved / "run" / "model.safetensors"


@pytest.mark.parametrize(
    ("promotion", "said"),
    [
        (PromotionResult.FAILED, "was not passed: Dice fell"),
        (PromotionResult.UNDECIDED, "came to no decision"),
        (PromotionResult.NONE, "was never asked"),
    ],
)
def test_any_other_model_only_if_somebody_insists_and_that_is_kept(
    tmp_path: Path, weights: Path, promotion: PromotionResult, said: str
) -> None:
    project = Project.create(tmp_path / "project")
    with pytest.raises(DataError, match=said):
        promote_model(project, weights, name="child", promotion=promotion, reason="Dice fell")
    assert project.default_model is None
    promote_model(project, weights, name="child", promotion=promotion, reason="Dice fell", force=True)
    kept = Project.open(project.path).default_model
    assert kept is not None
    assert (kept.promotion, kept.forced) == (promotion, True)


def test_a_model_that_is_gone_or_another_by_now_is_not_asked(tmp_path: Path, weights: Path) -> None:
    project = Project.create(tmp_path / "project")
    promoted = promote_model(project, weights, name="child", promotion=PromotionResult.PASSED)
    weights.write_bytes(b"other weights")
    with pytest.raises(DataError, match="is not the file"):
        promoted.located(project)
    weights.unlink()
    with pytest.raises(DataError, match="by default"):
        promoted.located(project)
    (project.path / "model.json").write_text("{}")
    with pytest.raises(UnreadableFileError):
        _ = project.default_model
