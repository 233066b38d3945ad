"""A network that is handed in predicts the cases of a project; no person's work is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status
from metseg.curation.benefit import CaseBenefit
from metseg.curation.predicting import PredictionOutcome, predicting_project, provenance_of
from metseg.curation.queue import review_queue
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Event, Finished, Notice, Progress, drain
from metseg.lesions import PostprocessingConfig
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Study, read_study, write_tiff

SHAPE = (4, 12, 14)
MADE = provenance_of("bright", "cd" * 32, PreprocessingConfig(), PostprocessingConfig(threshold=0.61))


@dataclass(frozen=True)
class Bright:
    """The answer of a network to which bright is lesion; an ensemble's if there is disagreement."""

    probabilities: np.ndarray
    disagreement: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        return (self.probabilities >= 0.61).astype(np.uint8)


def bright(study: Study) -> Iterator[Event[Bright]]:
    yield Notice(f"{study.name}: one sequence")
    for z in range(study.shape[0]):
        yield Progress(z, study.shape[0])
    yield Finished(Bright((study.voxels[0] / 255).astype(np.float32)))


@pytest.fixture
def cases(tmp_path: Path) -> Project:
    """Cases ``a``, ``b``, ``c`` and ``d``: ``b`` was drawn on, ``c`` was rejected, the image of ``d`` is gone."""
    project = Project.create(tmp_path / "project")
    for seed, name in enumerate("abcd"):
        write_tiff(tmp_path / f"{name}.tif", np.random.default_rng(seed).integers(0, 255, SHAPE, np.uint8))
        project.add(read_study(tmp_path / f"{name}.tif"))
    with project.open_case("b") as case:
        labels = case.labels.copy()
        labels[1, 3, 4] = 9
        case.commit(labels, EditKind.STROKE)
    with project.open_case("c") as case:
        case.set_status(Status.REJECTED, "moved")
    (tmp_path / "d.tif").unlink()
    return project


def test_edited_and_finished_cases_are_left_alone_and_a_failure_stops_nothing(cases: Project) -> None:
    events = list(predicting_project(cases, bright, MADE))
    done = events[-1].result  # type: ignore[union-attr]
    assert done.outcomes == {
        "a": PredictionOutcome.PREDICTED,
        "b": PredictionOutcome.EDITED,
        "c": PredictionOutcome.FINISHED,
    }
    assert len(done.refused) == 1
    assert "d.tif" in done.refused[0]
    assert Notice("a: one sequence") in events
    progress = [event for event in events if isinstance(event, Progress)]
    assert {event.total for event in progress} == {16}
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert progress[-1].done == 16
    view = cases.read_case("a")
    prediction = view.prediction()
    assert prediction is not None
    assert prediction.provenance == MADE
    assert prediction.provenance.threshold == 0.61
    np.testing.assert_array_equal(view.labels > 0, view.study().voxels[0] / 255 >= np.float32(0.61))
    again = drain(predicting_project(cases, bright, MADE, cases=["a"]))
    assert again.outcomes == {"a": PredictionOutcome.THERE}


def test_the_disagreement_of_an_ensemble_is_kept_and_reaches_the_queue(cases: Project) -> None:
    apart = np.random.default_rng(7).uniform(0, 1, SHAPE).astype(np.float32)

    def divided(study: Study) -> Iterator[Event[Bright]]:
        yield Finished(Bright((study.voxels[0] / 255).astype(np.float32), apart))

    drain(predicting_project(cases, divided, MADE, cases=["a"]))
    view = cases.read_case("a")
    prediction = view.prediction()
    assert prediction is not None
    assert prediction.disagreement is not None
    np.testing.assert_allclose(prediction.disagreement, apart, atol=0.5 / 255 + 1e-6)
    (entry,) = (one for one in drain(review_queue(cases)).entries if one.case.name == "a")
    assert entry.benefit is not None
    assert entry.benefit.disputed == pytest.approx(apart.sum(), rel=1e-2)
    with cases.open_case("a") as case, pytest.raises(DataError, match="between 0 and 1"):
        case.predict(case.plan_prediction(apart > 2), prediction.probabilities, MADE, disagreement=apart + 1)
    stored = {path.stem for path in (view.folder / "predictions").glob("*.tif")} - {prediction.sha256[:12]}
    (view.folder / "predictions" / f"{stored.pop()}.tif").unlink()
    with pytest.raises(UnreadableFileError):
        cases.read_case("a").prediction()


def test_edited_and_finished_cases_are_predicted_when_asked_for_and_keep_what_was_drawn(cases: Project) -> None:
    asked = predicting_project(cases, bright, MADE, cases=["b", "c"], also_edited=True, also_finished=True)
    assert set(drain(asked).outcomes.values()) == {PredictionOutcome.PREDICTED}
    assert cases.read_case("b").labels[1, 3, 4] == 9
    with pytest.raises(DataError, match="has no case x"):
        drain(predicting_project(cases, bright, MADE, cases=["x"]))


def test_a_run_that_is_stopped_leaves_what_is_done_and_closes_the_network(cases: Project) -> None:
    closed = []

    def watched(study: Study) -> Iterator[Event[Bright]]:
        try:
            yield from bright(study)
        finally:
            closed.append(study.name)

    stream = predicting_project(cases, watched, MADE, also_edited=True)
    for event in stream:
        if isinstance(event, Progress) and event.what.startswith("b") and event.done > 5:
            break
    stream.close()  # type: ignore[attr-defined]
    assert closed == ["a", "b"]
    assert cases.read_case("a").status is Status.PREDICTED
    assert cases.read_case("b").prediction() is None


def test_an_edit_made_while_the_network_was_at_work_is_not_overrun(cases: Project) -> None:
    def slow(study: Study) -> Iterator[Event[Bright]]:
        with cases.open_case("a") as case:
            case.commit(np.full(SHAPE, 4, np.uint16), EditKind.FILL)
        yield from bright(study)

    assert drain(predicting_project(cases, slow, MADE, cases=["a"])).outcomes == {"a": PredictionOutcome.EDITED}
    assert (cases.read_case("a").labels == 4).all()


def test_what_is_known_of_a_case_is_not_worked_out_again(cases: Project) -> None:
    drain(predicting_project(cases, bright, MADE))
    found = drain(review_queue(cases))
    known: dict[str, CaseBenefit | None] = {entry.case.name: entry.benefit for entry in found.entries}
    for path in (cases.path / "cases" / "a" / "predictions").iterdir():
        path.unlink()
    assert [entry.case.name for entry in drain(review_queue(cases, known=known)).entries] == list(known)
    assert "a" in {case.name for case in drain(review_queue(cases)).problems}
