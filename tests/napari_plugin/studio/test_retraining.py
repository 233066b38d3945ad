"""Retraining from the window: a real process on a real project, stopped, resumed, judged; nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, PromotionResult, Status
from metseg.events import Progress, to_json
from metseg.napari_plugin.pipeline import model_from_file
from metseg.napari_plugin.studio.training_process import Phase, TrainingProcess, TrainingState
from metseg.retraining.runs import RUNS
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

pytestmark = pytest.mark.slow


Wait = Callable[..., None]
SLICES, SIDE = 3, 64


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five approved cases of three slices."""
    made = Project.create(tmp_path / "project")
    for number in range(5):
        head = synthetic_study(number, slices=8, size=SIDE)
        folder = tmp_path / "images" / f"p{number}"
        folder.mkdir(parents=True)
        for z in range(SLICES):
            write_tiff(folder / f"p{number}_{z + 1}.tif", head.voxels[:, z + 3].transpose(1, 2, 0))
        made.add(read_study(folder))
        with made.open_case(folder.name) as case:
            assert head.mask is not None
            case.commit(head.mask[3 : 3 + SLICES].astype(np.uint16), EditKind.STROKE)
            case.set_status(Status.APPROVED)
    return made


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose recipe has small batches of small crops."""
    import torch

    from metseg.checkpoints import ModelCard, TrainingRecord, save_checkpoint
    from metseg.networks import build_network
    from metseg.preprocessing import PreprocessingConfig
    from metseg.training import TrainingConfig

    torch.manual_seed(0)
    recipe = TrainingConfig(
        architecture="attention_unet", batch_size=4, crop=64, preprocessing=PreprocessingConfig(size=None)
    )
    record = TrainingRecord(config=recipe.model_dump(mode="json"), patients=("somebody",))
    card = ModelCard(name="small", network=recipe.network, preprocessing=recipe.preprocessing, training=record)
    return save_checkpoint(tmp_path_factory.mktemp("models") / "small", build_network(recipe.network), card)


@pytest.fixture
def panel(make_studio: Callable[..., Any], model: Any, small: Path, patiently: Wait, monkeypatch: Any) -> Iterator[Any]:
    from metseg.napari_plugin.studio.retrain_panel import RetrainPanel

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = RetrainPanel(make_studio(model))
    made.state.models = (model_from_file(str(small)),)
    patiently(lambda: made.start.isEnabled())
    yield made
    made.unfollow()


def test_stopped_resumed_and_judged(panel: Any, project: Project, patiently: Wait) -> None:
    retraining = panel.retraining
    assert "Approved cases: 5; of them in the evaluation set: 1." in panel.outlook.text()
    panel.held_out.setValue(40)
    assert "Approved cases: 5; of them in the evaluation set: 2." in panel.outlook.text()
    assert "the promotion check decides nothing" in panel.outlook.text()
    panel.epochs.setValue(3)
    panel.start.click()
    assert panel.stop.isVisibleTo(panel)
    patiently(lambda: retraining.run.losses, 300)
    panel.stop.click()
    assert retraining.run.phase is Phase.STOPPING
    patiently(lambda: retraining.run.phase is Phase.STOPPED, 300)
    assert panel.resume.isVisibleTo(panel)
    steps = len(retraining.run.losses)
    panel.resume.click()
    patiently(lambda: not retraining.run.running, 300)
    run: TrainingState = retraining.run
    assert run.phase is Phase.FINISHED, run.problem
    assert len(run.losses) > steps
    assert [x for x, _ in run.losses] == sorted({x for x, _ in run.losses})
    assert [row["epoch"] for row in run.rows] == [1, 2, 3]

    assert run.promotion is not None
    assert run.promotion.result is PromotionResult.UNDECIDED
    assert len(run.promotion.child.rows) == 2
    assert panel.promotion.table.rowCount() == len(run.promotion.child.rows) + 1
    assert not panel.promote.isEnabled()
    assert "too few patients" in panel.promote.toolTip()
    assert "cannot become the default" in panel.why_not.text()
    patiently(lambda: any(choice.title.startswith("small-") for choice in panel.state.models))
    assert panel.state.model == ""  # what predicts is chosen by the user alone

    retraining.run.promotion = run.promotion.model_copy(update={"result": PromotionResult.PASSED})
    retraining.changed.emit()
    assert panel.promote.isEnabled()
    assert run.config is not None
    (run.config.out / "gate.json").write_text(retraining.run.promotion.model_dump_json())
    panel.promote.click()
    patiently(lambda: retraining.is_default)
    assert Project.open(project.path).default_model is not None
    assert not panel.promote.isEnabled()


def test_closing_leaves_no_process_and_the_next_window_can_resume(
    panel: Any, make_studio: Callable[..., Any], project: Project, patiently: Wait
) -> None:
    from metseg.napari_plugin.studio.retraining import Retraining

    panel.epochs.setValue(400)
    panel.start.click()
    patiently(lambda: panel.retraining.run.losses, 300)
    number = panel.retraining.process.id
    panel.studio.close()
    if sys.platform != "win32":
        patiently(lambda: not _lives(number), 60)
    saved = [path.name for path in (project.path / RUNS).glob("*/*")]
    assert {"state.pt", "retraining.json", "export"} <= set(saved)

    again = Retraining(make_studio(panel.studio.viewer))
    patiently(lambda: again.run.resumable)
    assert again.epochs == 400
    again.close()


#: What a program prints once it is about to work: an event, as ``metseg retrain`` prints them.
HERE = to_json(Progress(0, 1, "here"), str)
DEAF = (
    f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print({HERE!r}, flush=True); time.sleep(99)"
)
REFUSING = "import sys; print('something else'); sys.exit('a warning\\nmetseg: run/p0.tif: is gone')"
STARTING = "import time; time.sleep(99)"
CRASHING = "import os; os.abort()"


@pytest.mark.parametrize(
    ("program", "stopped", "end", "said"),
    [
        (DEAF, "at work", Phase.STOPPED, "did not end by itself"),
        (STARTING, "at once", Phase.STOPPED, ""),
        (REFUSING, "", Phase.FAILED, "run/p0.tif: is gone"),
        (CRASHING, "", Phase.FAILED, "It was ended from outside."),
    ],
)
def test_however_a_process_ends_it_is_said(
    qapp: Any, patiently: Wait, monkeypatch: pytest.MonkeyPatch, program: str, stopped: str, end: Phase, said: str
) -> None:
    monkeypatch.setattr(
        "metseg.napari_plugin.studio.training_process.command", lambda arguments: [sys.executable, "-c", program]
    )
    process = TrainingProcess()
    if stopped == "at work":
        process.changed.connect(lambda: process.stop(timeout=200))
    process.start([])
    if stopped == "at once":
        process.stop(timeout=5000)
    patiently(lambda: process.state.phase not in (Phase.RUNNING, Phase.STOPPING), 60)
    assert process.state.phase is end
    assert said in process.state.problem
    assert not process.running


LISTENING = """
import signal, sys, time

def save(*_):
    time.sleep(0.5)
    open({path!r}, "w").write("saved")
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
print({here!r}, flush=True)
time.sleep(99)
"""
ENDING = """
import sys
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication
import metseg.napari_plugin.studio.training_process as training

app = QApplication([])
training.command = lambda arguments: [sys.executable, "-c", {program!r}]
process = training.TrainingProcess()
at_work = QEventLoop()
process.changed.connect(lambda: at_work.quit())
process.start([])
at_work.exec()
print(process.id)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to heed")
def test_a_program_that_ends_lets_its_training_save_first(tmp_path: Path) -> None:
    program = LISTENING.format(path=str(tmp_path / "state"), here=HERE)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", ENDING.format(program=program)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=120,
    )
    assert (tmp_path / "state").read_text() == "saved"
    assert not _lives(int(done.stdout))


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
