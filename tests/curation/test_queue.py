"""The order of review: what is expected of cases and slices, and how a project is put into order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Provenance, Status, ToolName
from metseg.curation.benefit import BenefitConfig, expected_benefit
from metseg.curation.corrections import Corrections
from metseg.curation.queue import ReviewQueue, case_benefit, edited_slices, review_progress, review_queue
from metseg.curation.tools import delete
from metseg.errors import DataError
from metseg.events import drain
from metseg.metrics import overlap
from metseg.study import read_study, write_tiff

SHAPE = (4, 12, 14)
Predict = Callable[..., np.ndarray]


@pytest.fixture
def probabilities() -> np.ndarray:
    """A large lesion with unsure edges, unsure most of all in slice 2."""
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 0.1, (5, 30, 30))
    p[1:4, 8:20, 8:20] = rng.uniform(0.8, 1, (3, 12, 12))
    p[2, 8:20, 14:24] = rng.uniform(0.3, 0.7, (12, 10))
    return p.astype(np.float32)


@pytest.fixture
def predict(provenance: Provenance) -> Predict:
    """Let a network that gives these probabilities predict a case."""

    def predict(project: Project, case: str, probabilities: np.ndarray) -> np.ndarray:
        mask = probabilities >= provenance.threshold
        with project.open_case(case) as session:
            session.predict(session.plan_prediction(mask), probabilities, provenance)
        return mask

    return predict


def test_expected_dice_and_gain_are_what_random_truths_give(probabilities: np.ndarray) -> None:
    drawn = probabilities >= 0.5
    benefit = expected_benefit(drawn, probabilities, config=BenefitConfig(small=0))
    rng = np.random.default_rng(0)
    before, after, changes = [], np.zeros((200, 5)), np.zeros((200, 5))
    for trial in range(200):
        truth = rng.random(probabilities.shape) < probabilities
        before.append(overlap(truth, drawn).dice)
        for z in range(5):
            corrected = drawn.copy()
            corrected[z] = truth[z]
            after[trial, z] = overlap(truth, corrected).dice
            changes[trial, z] = np.count_nonzero(truth[z] != drawn[z])
    assert benefit.dice == pytest.approx(np.mean(before), abs=0.005)
    for one in benefit.slices:
        assert one.gain == pytest.approx(after[:, one.z].mean() - np.mean(before), abs=0.005)
        assert one.changes == pytest.approx(changes[:, one.z].mean(), rel=0.05)
    assert [one.z for one in benefit.slices][0] == 2
    gains = [one.gain for one in benefit.slices]
    assert gains == sorted(gains, reverse=True)


def test_reviewed_slices_are_true_and_gain_nothing(probabilities: np.ndarray) -> None:
    drawn = probabilities >= 0.5
    before = expected_benefit(drawn, probabilities)
    after = expected_benefit(drawn, probabilities, reviewed=(2,))
    assert {one.z for one in after.slices} == {0, 1, 3, 4}
    assert after.dice > before.dice
    done = expected_benefit(drawn, probabilities, reviewed=range(5))
    assert (done.dice, done.slices, done.leading, done.rank, done.changes) == (1, (), 0, 0, 0)


def test_the_leading_slices_hold_most_of_the_gain(probabilities: np.ndarray) -> None:
    for share in (0.2, 0.5, 0.8, 1.0):
        benefit = expected_benefit(probabilities >= 0.5, probabilities, config=BenefitConfig(leading=share))
        gains = [one.gain for one in benefit.slices]
        assert sum(gains[: benefit.leading]) >= share * sum(gains) * 0.999999
        assert sum(gains[: benefit.leading - 1]) < share * sum(gains)


def test_a_small_lesion_apart_is_doubted_and_the_largest_is_not() -> None:
    p = np.zeros((6, 40, 40), np.float32)
    p[0:3, 5:25, 5:25] = 1
    p[5, 30:33, 30:33] = 1
    believed = {one.z: one for one in expected_benefit(p > 0, p, config=BenefitConfig(small=0)).slices}
    doubted = {one.z: one for one in expected_benefit(p > 0, p).slices}
    assert believed[5].changes == pytest.approx(0, abs=1e-3)
    assert doubted[5].changes == pytest.approx(9 * 60 / (60 + 9))
    assert {doubted[z].changes for z in range(5)} == {0}
    alone = expected_benefit(p[3:] > 0, p[3:])
    assert alone.changes == 0


def test_an_empty_head_is_not_the_worst_of_all_cases(probabilities: np.ndarray) -> None:
    faint = np.zeros(probabilities.shape, np.float32)
    faint[1, :2, :10] = 0.01
    empty = expected_benefit(faint >= 0.5, faint)
    assert empty.dice > 0.95
    assert empty.rank < expected_benefit(probabilities >= 0.5, probabilities).rank
    assert expected_benefit(np.zeros(SHAPE), np.zeros(SHAPE, np.float32)).rank == 0


def test_disagreement_is_counted_for_each_slice_and_decides_nothing(probabilities: np.ndarray) -> None:
    drawn = probabilities >= 0.5
    apart = np.random.default_rng(3).uniform(0, 1, probabilities.shape).astype(np.float32)
    alone = expected_benefit(drawn, probabilities, reviewed=(1,))
    benefit = expected_benefit(drawn, probabilities, reviewed=(1,), disagreement=apart)
    for one in benefit.slices:
        assert one.disputed == pytest.approx(apart[one.z].sum(), rel=1e-5)
    assert benefit.disputed == pytest.approx(apart[[0, 2, 3, 4]].sum(), rel=1e-5)
    assert [(one.z, one.gain) for one in benefit.slices] == [(one.z, one.gain) for one in alone.slices]
    assert alone.disputed is None
    with pytest.raises(ValueError, match="a disagreement of shape"):
        expected_benefit(drawn, probabilities, disagreement=apart[1:])
    with pytest.raises(ValueError, match="do not fit a mask"):
        expected_benefit(drawn[1:], probabilities)


def test_a_project_comes_doubtful_cases_first_and_unpredicted_ones_last(
    project: Project, predict: Predict, tmp_path: Path
) -> None:
    sure, doubtful = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    sure[1:3, 2:8, 2:8] = 0.99
    doubtful[1:3, 2:8, 2:8] = 0.6
    for name in ("sure", "doubtful", "finished", "broken"):
        write_tiff(tmp_path / f"{name}.tif", np.full(SHAPE, len(name), np.uint8))
        project.add(read_study(tmp_path / f"{name}.tif"))
    for name, p in {"sure": sure, "doubtful": doubtful, "finished": doubtful, "broken": doubtful}.items():
        predict(project, name, p)
    with project.open_case("finished") as session:
        session.set_status(Status.APPROVED)
    for path in (project.path / "cases" / "broken" / "predictions").iterdir():
        path.unlink()
    found: ReviewQueue = drain(review_queue(project))
    assert [entry.case.name for entry in found.entries] == ["doubtful", "sure", "head"]
    assert found.entries[-1].benefit is None
    assert [case.name for case in found.problems] == ["broken"]
    assert found.progress.cases == {
        Status.TODO: 1,
        Status.PREDICTED: 3,
        Status.CORRECTED: 0,
        Status.APPROVED: 1,
        Status.REJECTED: 0,
    }
    assert found.progress == review_progress(project.cases())
    assert found.progress.slices == (0, 20), "approving looks at nothing"
    assert found.progress.voxels == (4 * 12 * 14, 20 * 12 * 14)
    assert (found.progress.lesions, found.progress.lesion_voxels) == (1, 72)


def test_slices_that_somebody_drew_on_are_reviewed(
    project: Project, predict: Predict, paint: Callable[..., np.ndarray]
) -> None:
    assert case_benefit(project.read_case("head")) is None
    p = np.zeros(SHAPE, np.float32)
    p[0:3, 2:8, 2:8] = 0.7
    predict(project, "head", p)
    with project.open_case("head") as session:
        first = case_benefit(session)
        assert first is not None
        assert {one.z for one in first.slices} == {0, 1, 2, 3}
        paint(session, (1, 6, 6), 1)
        prediction = session.prediction()
        assert prediction is not None
        assert edited_slices(session.labels, prediction) == (1,)
        left = case_benefit(session, reviewed=(3,))
        assert left is not None
        assert {one.z for one in left.slices} == {0, 2}


def test_a_deleted_lesion_s_slices_are_still_to_be_looked_at_but_nothing_is_asked_of_it_again(
    project: Project, predict: Predict, paint: Callable[..., np.ndarray]
) -> None:
    p = np.zeros(SHAPE, np.float32)
    p[0:3, 2:8, 2:8], p[1:4, 9:12, 9:12] = 0.7, 0.6
    predict(project, "head", p)
    with project.open_case("head") as session:
        before = case_benefit(session)
        deleted = delete(session.labels, int(session.labels[3, 10, 10]))
        labels = session.labels.copy()
        deleted.apply(labels)
        session.commit(labels, EditKind.TOOL, detail={"tool": ToolName.DELETE})
        after = case_benefit(session)
        assert before is not None
        assert after is not None
        assert {one.z for one in after.slices} == {0, 1, 2, 3}
        changes = {one.z: one.changes for one in after.slices}
        assert changes == pytest.approx({0: 36 * 0.3, 1: 36 * 0.3, 2: 36 * 0.3, 3: 0}, rel=0.01)
        assert after.dice > before.dice
        paint(session, (3, 1, 1), 5)
        drawn_on = case_benefit(session)
        assert drawn_on is not None
        assert {one.z for one in drawn_on.slices} == {0, 1, 2}


def test_a_probability_that_was_rounded_across_the_threshold_is_no_edit(project: Project) -> None:
    p = np.zeros(SHAPE, np.float32)
    p[1, 2:8, 2:8], p[2, 2:8, 2:8] = 0.4322, 0.9
    close = Provenance(model="small", weights_sha256="ab" * 32, threshold=0.4321)
    with project.open_case("head") as session:
        session.predict(session.plan_prediction(p >= close.threshold), p, close)
        prediction = session.prediction()
        assert prediction is not None
        assert (prediction.probabilities[1] < close.threshold).all()
        assert edited_slices(session.labels, prediction) == ()
        assert edited_slices(np.zeros(SHAPE, np.uint16), prediction) == (2,)


def test_corrected_masks_keep_the_ids_of_lesions() -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[1, 2:6, 2:4], labels[1, 2:6, 4:6], labels[3, 8:10, 8:10] = 5, 6, 9
    mask = np.zeros(SHAPE, bool)
    mask[1, 2:6, 1:7] = True
    mask[1, 9:11, 9:11] = True
    after = Corrections(mask, (1, 2), ()).applied_to(labels, 10)
    assert (after[1, 2:6, 1:4] == 5).all()
    assert (after[1, 2:6, 4:7] == 6).all()
    assert (after[1, 9:11, 9:11] == 10).all()
    np.testing.assert_array_equal(after[3], labels[3])
    np.testing.assert_array_equal(after[1] > 0, mask[1])
    with pytest.raises(DataError, match="all have been given"):
        Corrections(mask, (1,), ()).applied_to(labels, 65536)
