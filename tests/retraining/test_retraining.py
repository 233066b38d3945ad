"""Approved cases in, a checked model out; stopped and gone on with, and refused where it must be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.curation import Project, PromotionResult
from metseg.curation.export import verify
from metseg.errors import CheckpointError, DataError
from metseg.events import EpochFinished, Notice, Progress, StepFinished, drain, from_json, to_json
from metseg.inference import Segmenter, threads
from metseg.metrics import score_scan
from metseg.retraining import PromotionCheck, RetrainingConfig, promote, read_config, read_promotion_check, retrain
from metseg.study import file_sha256, read_study

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Retrained:
    config: RetrainingConfig
    promotion: PromotionCheck
    events: list[object]
    child: Checkpoint


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are taken in the same order however busy the machine is: weights are compared to the last bit."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "free_cores", lambda *_: 1)
        yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def retrained(short: RetrainingConfig) -> Retrained:
    events: list[object] = []
    promotion = drain(retrain(short, device="cpu", command="metseg retrain"), events.append)
    return Retrained(short, promotion, events, load_checkpoint(short.out))


def test_nobody_whom_either_model_knows_judges_and_everybody_has_one_side(retrained: Retrained) -> None:
    split = json.loads((retrained.config.out / "split.json").read_text())
    assert split == {"train": ["new0", "new1", "new4", "old0", "old1"], "held_out": ["new2", "new3", "old2"]}
    record = retrained.child.card.training
    assert set(record.patients) == {"new0", "new1", "new4", "old0", "old1"}
    assert set(record.held_out) == {"new2", "new3", "old2"}
    said = [event.text for event in retrained.events if isinstance(event, Notice)]
    assert any("held out by the project but known to the parent, so trained on: old0" in text for text in said)
    assert any("in the project and in the original data: the corrected masks count" in text for text in said)
    assert any("training on 5 patients, 1 of them again; 3 held out" in text for text in said)


def test_the_promotion_compares_parent_and_child_on_the_same_patients(
    retrained: Retrained, parent: Checkpoint, original: Path
) -> None:
    promotion = retrained.promotion
    assert (
        [row.name for row in promotion.parent.rows]
        == [row.name for row in promotion.child.rows]
        == ["new2", "new3", "old2"]
    )
    assert [row.source for row in promotion.child.rows] == ["project", "project", "original data"]
    assert (promotion.parent.sha256, promotion.child.sha256) == (parent.sha256, retrained.child.sha256)
    assert promotion.postprocessing == parent.card.postprocessing == retrained.child.card.postprocessing
    assert promotion.passed == (
        promotion.child.mean_dice >= promotion.parent.mean_dice and promotion.child.found >= promotion.parent.found
    ), promotion.reason
    study = read_study(original / "old2")
    assert study.mask is not None
    for model, row in ((parent, promotion.parent.rows[2]), (retrained.child, promotion.child.rows[2])):
        with Segmenter(model, device="cpu") as segmenter:
            score = score_scan("old2", study.mask, segmenter.segment(study).mask)
        assert (row.dice, row.lesions, row.found) == (score.dice, len(score.lesions), score.found)


def test_what_is_left_says_where_the_child_comes_from(retrained: Retrained, parent: Checkpoint) -> None:
    out, card = retrained.config.out, retrained.child.card
    assert verify(out / "export").sound
    assert read_config(out) == retrained.config
    assert read_promotion_check(out) == retrained.promotion
    record = card.training
    assert (record.parent_name, record.parent) == ("parent", parent.sha256)
    assert record.command == "metseg retrain"
    assert [entry.manifest_sha256 for entry in record.corrected] == [retrained.promotion.manifest_sha256]
    assert record.corrected[0].cases == 6
    assert record.epoch == retrained.config.epochs
    assert record.data == "drawn; corrected cases of metseg projects"
    assert card.scores["held_out"]["mean_dice"] == pytest.approx(retrained.promotion.child.mean_dice)
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert f"Parent weights: parent {parent.sha256}" in readme
    assert retrained.promotion.manifest_sha256 in readme
    page = (out / "gate.md").read_text(encoding="utf-8")
    assert f"# Promotion check: {retrained.promotion.result}" in page
    assert page.count("| new2 |") == 2
    assert file_sha256(parent.path) == parent.sha256


def test_every_event_goes_through_json(retrained: Retrained) -> None:
    kinds = {type(event) for event in retrained.events}
    assert {Progress, StepFinished, Notice, EpochFinished} <= kinds
    for event in retrained.events:
        line = to_json(event, PromotionCheck.model_dump)  # type: ignore[arg-type]
        assert "\n" not in line
        assert from_json(line, PromotionCheck.model_validate) == event


def test_stopped_anywhere_it_goes_on_to_the_same_weights(retrained: Retrained, tmp_path: Path) -> None:
    config = retrained.config.model_copy(update={"out": tmp_path / "again"})
    for place in ("new1", "epoch 1 of 2", "scoring"):
        stream = retrain(config, resume=(tmp_path / "again").exists(), device="cpu")
        assert any(isinstance(event, Progress) and place in event.what for event in stream)
        with pytest.raises(DataError, match="another program is at work"):
            drain(retrain(config, resume=True, device="cpu"))
        stream.close()  # type: ignore[attr-defined]
        assert not (config.out / "gate.json").exists()
    with pytest.raises(DataError, match="already holds a retraining"):
        drain(retrain(config, device="cpu"))
    with pytest.raises(DataError, match=r"other settings \(epochs\)"):
        drain(retrain(config.model_copy(update={"epochs": 3}), resume=True, device="cpu"))
    promotion = drain(retrain(config, resume=True, device="cpu"))
    assert (promotion.result, promotion.reason) == (retrained.promotion.result, retrained.promotion.reason)
    state = load_checkpoint(config.out).state
    torch.testing.assert_close(state, retrained.child.state, rtol=0, atol=0)


def test_only_a_model_that_passed_becomes_the_default_and_of_another_file_nothing_is_known(
    retrained: Retrained, tmp_path: Path, project: Path
) -> None:
    for name in ("model.safetensors", "gate.json"):
        (tmp_path / name).write_bytes((retrained.config.out / name).read_bytes())
    opened = Project.create(tmp_path / "other")
    passing = retrained.promotion.model_copy(update={"result": PromotionResult.PASSED})
    (tmp_path / "gate.json").write_text(passing.model_dump_json())
    model = promote(opened, tmp_path)
    assert (model.name, model.sha256, model.forced) == ("child", retrained.child.sha256, False)
    (tmp_path / "gate.json").write_text(
        passing.model_copy(update={"result": PromotionResult.UNDECIDED}).model_dump_json()
    )
    with pytest.raises(DataError, match="came to no decision"):
        promote(opened, tmp_path)
    assert promote(opened, tmp_path, force=True).forced
    (tmp_path / "gate.json").write_text(passing.model_copy(update={"child": passing.parent}).model_dump_json())
    with pytest.raises(DataError, match="of another file"):
        promote(opened, tmp_path)
    assert opened.default_model is not None
    assert opened.default_model.promotion == "undecided"


def test_what_cannot_be_retrained_is_said(short: RetrainingConfig, tmp_path: Path) -> None:
    elsewhere = short.model_copy(update={"out": tmp_path / "out"})
    with pytest.raises(CheckpointError, match="averages several networks .*choose one"):
        drain(retrain(elsewhere.model_copy(update={"parent": "best"})))
    with pytest.raises(DataError, match="is not empty"):
        drain(retrain(short.model_copy(update={"out": short.project})))
    empty = Project.create(tmp_path / "empty")
    with pytest.raises(DataError, match="no case to export is approved"):
        drain(retrain(elsewhere.model_copy(update={"project": empty.path})))
    assert not (tmp_path / "out" / "export" / "manifest.json").exists()
