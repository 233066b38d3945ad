"""A network's result is shown before it changes anything, and is one step of the undo history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status, lesion_rows, promote_model, review_queue
from metseg.curation.default_model import PromotionResult
from metseg.events import drain
from metseg.napari_plugin.studio.lesion_columns import COLUMNS
from metseg.napari_plugin.studio.predictions import Proposal, ProposalChange
from metseg.napari_plugin.studio.state import Saved, Tab

pytestmark = pytest.mark.slow


Wait = Callable[..., None]


@pytest.fixture
def network(weights: Path) -> Path:
    """The file of the tiny network."""
    return next(weights.rglob("*.safetensors"))


@pytest.fixture
def pair(network: Path, tmp_path: Path) -> Path:
    """The file of an ensemble: the tiny network, and the same with another opinion of how much is lesion."""
    import torch

    from metseg.checkpoints import combine, load_checkpoint, save_checkpoint

    tiny = load_checkpoint(network)
    other = tiny.network()
    with torch.no_grad():
        [*_, last] = (module for module in other.modules() if isinstance(module, torch.nn.Conv2d))
        last.bias += 1
    members = [tiny, load_checkpoint(save_checkpoint(tmp_path / "other", other, tiny.card))]
    return save_checkpoint(tmp_path / "pair", *combine(members, "pair"))


@pytest.fixture
def open_panel(viewer: Any, make_studio: Any, network: Path, patiently: Wait) -> Callable[..., Any]:
    """The network's panel in a real window."""

    def open_one(case: str = "") -> Any:
        from metseg.napari_plugin.studio.proposal_panel import ProposalPanel

        studio = make_studio(viewer, case)
        panel = ProposalPanel(studio)
        viewer.window.add_dock_widget(panel, name="network")
        studio.add_model_file(str(network))
        patiently(lambda: not studio.busy)
        return panel

    return open_one


def draw(panel: Any, label: int, place: tuple[int, int, int] = (1, 5, 5)) -> np.ndarray:
    """Draw a small lesion by hand and give its mask."""
    labels = panel.state.case.labels
    labels.brush_size = 5
    labels.paint(place, label)
    assert panel.studio.flush()
    return np.asarray(labels.data == label)


def propose(panel: Any, patiently: Wait) -> Proposal:
    panel.predict.click()
    patiently(lambda: not (panel.studio.busy or panel.proposing.busy))
    proposal = panel.state.proposal
    assert isinstance(proposal, Proposal)
    return proposal


def test_a_case_without_labels_takes_the_prediction_at_once_and_gives_it_back(
    open_panel: Any, patiently: Wait, records: Any
) -> None:
    panel = open_panel("ada")
    assert panel.predict.objectName() == "primary"
    panel.predict.click()
    assert not panel.work.isHidden()
    patiently(lambda: not panel.studio.busy and panel.state.status is Status.PREDICTED)
    case = panel.state.case
    assert panel.state.proposal is None
    assert "Taken over: " in panel.summary.text()
    assert case.labels.data.any()
    np.testing.assert_array_equal(case.view.labels, case.labels.data)
    assert case.prediction is not None
    assert case.prediction.provenance.model == "tiny"
    assert [record.kind for record in records(case.view)] == [EditKind.MODEL]
    assert panel.work.isHidden()
    case.labels.undo()
    assert not case.labels.data.any()


def test_what_was_drawn_by_hand_stays_unless_asked_and_everything_is_shown_first(
    open_panel: Any, patiently: Wait, viewer: Any, records: Any
) -> None:
    panel = open_panel("ada")
    layers = list(viewer.layers)
    shown = panel.proposing.preview.picture
    drawn = draw(panel, 7)
    case, box = panel.state.case, panel.proposal
    proposal = propose(panel, patiently)
    assert proposal.plan.kept == (7,)
    assert (case.labels.data > 0).sum() == drawn.sum()
    assert shown.drawn
    assert list(viewer.layers) == layers, "it is no layer"
    assert (shown.values[drawn] == ProposalChange.KEPT).all()
    np.testing.assert_array_equal(
        shown.values == ProposalChange.ADDED, np.isin(proposal.plan.labels, proposal.plan.added)
    )
    assert not case.labels.visible
    viewer.dims.ndisplay = 3
    assert (shown.drawn, case.labels.visible) == (False, True), "in 3D the labels are seen as they are"
    viewer.dims.ndisplay = 2
    assert (shown.drawn, case.labels.visible) == (True, False)
    assert not box.isHidden()
    assert box.rows[ProposalChange.KEPT].text() == "1 kept as drawn by hand"
    assert box.rows[ProposalChange.ADDED].text() == f"{len(proposal.plan.added)} new"
    assert box.rows[ProposalChange.REMOVED].isHidden()
    box.rows[ProposalChange.KEPT].click()
    assert panel.studio.shown_slice == 1

    box.replace.click()
    patiently(lambda: not panel.proposing.busy)
    replaced = panel.state.proposal
    assert replaced.plan.kept == ()
    assert 7 in replaced.plan.removed
    assert (shown.values[drawn] != ProposalChange.KEPT).all()
    box.replace.click()
    assert not box.replace.isChecked()
    patiently(lambda: not panel.proposing.busy)
    assert panel.state.proposal.plan.kept == (7,)

    box.take_over.click()
    patiently(lambda: not panel.studio.busy)
    assert not shown.drawn
    assert case.labels.visible
    np.testing.assert_array_equal(case.labels.data, proposal.plan.labels)
    assert panel.state.status is Status.CORRECTED
    assert [record.kind for record in records(case.view)] == [EditKind.STROKE, EditKind.MODEL]
    case.labels.undo()
    np.testing.assert_array_equal(case.labels.data == 7, drawn)
    assert (case.labels.data > 0).sum() == drawn.sum()


def test_an_edit_while_a_proposal_waits_makes_it_anew(open_panel: Any, patiently: Wait) -> None:
    panel = open_panel("ada")
    draw(panel, 7)
    before = propose(panel, patiently)
    again = draw(panel, 8, (4, 30, 30))
    patiently(lambda: panel.state.proposal.plan.kept == (7, 8))
    proposal = panel.state.proposal
    assert proposal.plan.edits > before.plan.edits
    assert (proposal.changes[again] == ProposalChange.KEPT).all()
    panel.proposal.take_over.click()
    patiently(lambda: not panel.studio.busy)
    assert (panel.state.case.labels.data[again] == 8).all()


def test_a_proposal_waits_for_a_slow_disk_in_the_background(open_panel: Any, held_disk: Any, patiently: Wait) -> None:
    panel = open_panel("ada")
    held_disk.hold()
    panel.state.case.labels.paint((1, 5, 5), 7)
    panel.predict.click()
    patiently(lambda: panel.proposing.planning)
    assert panel.state.saved is Saved.SAVING
    held_disk.release()
    patiently(lambda: isinstance(panel.state.proposal, Proposal))
    assert panel.state.proposal.plan.kept == (7,)


def test_what_is_discarded_changes_nothing(open_panel: Any, patiently: Wait, viewer: Any) -> None:
    panel = open_panel("ada")
    drawn = draw(panel, 7)
    proposal = propose(panel, patiently)
    for discard in (panel.proposal.discard.click, panel.studio.close_case):
        panel.state.proposal = proposal
        assert panel.proposing.preview.picture.drawn
        discard()
        assert panel.state.proposal is None
        assert panel.proposal.isHidden()
        assert not panel.proposing.preview.picture.drawn
    view = panel.state.project.read_case("ada")
    np.testing.assert_array_equal(view.labels > 0, drawn)
    assert view.prediction() is None


def test_where_an_ensemble_s_networks_disagree_is_kept_and_shown(
    open_panel: Any, pair: Path, project: Project, patiently: Wait
) -> None:
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter
    from metseg.napari_plugin.studio.case_list import rows_of
    from metseg.napari_plugin.studio.lesion_table import LesionPanel

    panel = open_panel("ada")
    table = LesionPanel(panel.studio)
    place = [column.title for column in COLUMNS].index("Nets\napart")
    single = panel.state.model
    panel.studio.add_model_file(str(pair))
    patiently(lambda: not panel.studio.busy and panel.state.model != single)
    panel.predict.click()
    patiently(lambda: panel.state.case.prediction is not None and not (panel.studio.busy or table.busy))
    case = panel.state.case
    with Segmenter(load_checkpoint(pair)) as segmenter:
        answer = segmenter.segment(case.study)
    assert answer.disagreement is not None
    assert answer.disagreement.max() > 0.1
    stored = project.read_case("ada").prediction()
    for prediction in (case.prediction, stored):
        np.testing.assert_allclose(prediction.disagreement, answer.disagreement, atol=0.51 / 255)
    assert not table.table.isColumnHidden(place)
    measured = lesion_rows(case.labels.data, disagreement=case.prediction.disagreement)
    assert [row.disagreement for row in table.table.rows] == [row.disagreement for row in measured]
    assert "Nets apart: 0." in table.table.item(0, 0).toolTip()
    queue = drain(review_queue(project))
    [ada] = [row for row in rows_of(panel.state.cases, queue) if row.name == "ada"]
    [disputed] = [entry.benefit.disputed for entry in queue.entries if entry.case.name == "ada"]
    assert f"{disputed:,.0f} voxels disputed" in ada.tip

    panel.state.model = single
    propose(panel, patiently)
    panel.proposal.take_over.click()
    patiently(lambda: panel.state.case.prediction.disagreement is None and not (panel.studio.busy or table.busy))
    assert panel.state.case.prediction.provenance.model == "tiny"
    assert table.table.isColumnHidden(place)
    assert "Nets apart" not in table.table.item(0, 0).toolTip()
    table.unfollow()


def test_all_cases_but_the_open_one_and_edited_ones_are_predicted(
    open_panel: Any, project: Project, patiently: Wait
) -> None:
    panel = open_panel("ada")
    assert panel.predict_all.text() == "All 1 unedited"
    panel.predict_all.click()
    assert panel.proposing.all
    patiently(lambda: not panel.studio.busy)
    assert project.read_case("bob").status is Status.PREDICTED
    assert project.read_case("ada").status is Status.TODO
    assert panel.summary.text() == "1 case predicted."
    assert {case.name: case.status for case in panel.state.cases}["bob"] is Status.PREDICTED
    panel.predict_all.click()
    patiently(lambda: not panel.studio.busy)
    assert panel.summary.text() == "0 cases predicted, 1 had this prediction already."


def test_a_case_that_is_closed_meanwhile_gets_nothing(open_panel: Any, project: Project, patiently: Wait) -> None:
    panel = open_panel("ada")
    panel.predict.click()
    panel.studio.close_case()
    patiently(lambda: not panel.studio.busy)
    assert panel.proposing.case == ""
    assert panel.state.proposal is None
    assert project.read_case("ada").status is Status.TODO
    assert not panel.predict.isEnabled()
    assert panel.predict.toolTip() == "Open a case first."


def test_the_network_that_the_project_has_adopted_is_chosen(
    viewer: Any, make_studio: Any, project: Project, network: Path, patiently: Wait
) -> None:
    from metseg.napari_plugin.studio.proposal_panel import ProposalPanel

    promote_model(project, network, name="mine", promotion=PromotionResult.PASSED)
    studio = make_studio(viewer)
    panel = ProposalPanel(studio)
    patiently(lambda: studio.state.card is not None)
    assert Path(studio.state.model) == network.resolve()
    assert "tiny" in panel.model.currentText()


def test_a_proposal_comes_to_the_front_and_review_follows(open_panel: Any, patiently: Wait) -> None:
    panel = open_panel("ada")
    draw(panel, 7)
    state = panel.state
    for begin, predicted in ((Tab.REVIEW, Tab.PREDICT), (Tab.PREDICT, Tab.PREDICT)):
        state.tab = begin
        panel.proposing.predict()
        assert state.tab is predicted
        patiently(lambda: not panel.studio.busy and state.proposal is not None)
        assert state.tab is predicted
        panel.proposal.discard.click()
        assert state.tab is Tab.REVIEW
    state.tab = Tab.PREDICT
    panel.proposing.predict()
    panel.studio.cancel()
    patiently(lambda: not panel.studio.busy)
    assert (state.tab, state.proposal) == (Tab.PREDICT, None), "another network may be chosen"
