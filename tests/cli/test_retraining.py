"""``metseg retrain`` and ``metseg project promote``: asked by a person, by a program, stopped, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status
from metseg.events import EpochFinished, Finished, StepFinished, from_json
from metseg.retraining import PromotionCheck, RetrainingConfig, command_arguments, read_config, read_promotion_check
from metseg.study import Sequence, read_study

pytestmark = pytest.mark.slow


SHORT = ("--epochs", "1", "--steps-per-epoch", "1", "--held-out", "0.4", "--device", "cpu")


@pytest.fixture
def project(write_patient: Any, tmp_path: Path) -> Path:
    """Three approved cases of four slices."""
    made = Project.create(tmp_path / "project")
    for name in ("a", "b", "c"):
        folder = write_patient(tmp_path / "images" / name, slices=4)
        made.add(read_study(folder))
        with made.open_case(name) as case:
            labels = np.zeros(case.shape, np.uint16)
            labels[1:3, 20:40, 20:40] = 1
            case.commit(labels, EditKind.STROKE)
            case.set_status(Status.APPROVED)
    return made.path


@pytest.fixture(scope="module")
def small(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network, whose recipe has small batches of small crops."""
    from metseg.checkpoints import load_checkpoint, save_checkpoint
    from metseg.training import TrainingConfig

    found = load_checkpoint(model)
    recipe = TrainingConfig(
        architecture="attention_unet", batch_size=4, crop=64, preprocessing=found.card.preprocessing
    )
    record = found.card.training.model_copy(update={"config": recipe.model_dump(mode="json")})
    card = found.card.model_copy(update={"name": "small", "training": record})
    return save_checkpoint(tmp_path_factory.mktemp("small"), found.network(), card)


def test_a_person_reads_the_decision_and_adopts_only_what_passed(
    metseg: Any, project: Path, small: Path, write_patient: Any, tmp_path: Path
) -> None:
    for name in ("old1", "old2"):
        write_patient(tmp_path / "original" / name, slices=4)
    run, data = tmp_path / "run", tmp_path / "original"
    asked = ["retrain", project, "--parent", small, "--data", data, "--out", run, *SHORT]
    done = metseg(*asked, "--least-held-out", "9", "--adopt")
    assert done.status == 1, done.err
    assert "Promotion check undecided: too few patients to say anything, 9 are needed" in done.out
    assert "parent small" in done.out
    assert "run: not promoted" in done.err
    again = metseg(*asked)
    assert again.status == 2
    assert "already holds a retraining" in again.err

    refused = metseg("project", "promote", project, run)
    assert (refused.status, "came to no decision" in refused.err) == (2, True)
    assert metseg("project", "promote", project, run, "--force").out.endswith("undecided, promoted all the same)\n")
    promotion = read_promotion_check(run)
    (run / "gate.json").write_text(
        promotion.model_copy(update={"result": type(promotion.result).PASSED}).model_dump_json()
    )
    assert metseg("project", "promote", project, run).status == 0
    promoted = Project.open(project).default_model
    assert promoted is not None
    assert (promoted.name, promoted.forced) == ("run", False)


def test_other_programs_give_the_same_settings_and_read_every_event(
    metseg: Any, project: Path, small: Path, tmp_path: Path
) -> None:
    said: dict[str, Any] = {
        "rules": tmp_path / "rules.toml",
        "labels": (1, 3),
        "sequences": (Sequence.FLAIR, Sequence.POST),
    }
    said["rules"].write_text("labels = [2]\n")
    config = RetrainingConfig(
        project=project,
        parent=str(small),
        out=tmp_path / "run",
        epochs=1,
        steps_per_epoch=1,
        held_out=0.4,
        seed=3,
        **said,
    )
    done = metseg(*command_arguments(config), "--device", "cpu")
    assert done.status == 0, done.err
    assert read_config(config.out) == config
    events = [from_json(line, PromotionCheck.model_validate) for line in done.out.splitlines()]
    assert {StepFinished, EpochFinished} <= {type(event) for event in events}
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.result.model_dump_json() == read_promotion_check(config.out).model_dump_json()
    assert "Traceback" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to send to one process")
def test_asked_to_stop_it_ends_after_the_step_and_goes_on_from_there(
    metseg: Any, project: Path, small: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ["retrain", project, "--parent", small, "--out", run, "--epochs", "1", "--device", "cpu", "--json-events"]
    asked += ["--steps-per-epoch", "40", "--held-out", "0.4"]
    process = _start(asked)
    steps = _read_steps(process, 2)
    process.send_signal(signal.SIGTERM)
    rest, said = process.communicate(timeout=300)
    assert process.returncode == 143, said
    assert "the same command with --resume goes on" in said
    steps += [json.loads(line)["done"] for line in rest.splitlines() if json.loads(line)["event"] == "step"]
    assert len(steps) < 40

    process = _start([*asked, "--resume"])
    first = _read_steps(process, 1)
    assert first == [steps[-1] + 1]
    assert process.stdout is not None
    process.stdout.close()  # the program that started it is gone
    assert process.wait(timeout=300) == 141
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert (run / "state.pt").exists()


def _start(arguments: list[Any]) -> subprocess.Popen[str]:
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "metseg.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet)


def _read_steps(process: subprocess.Popen[str], count: int) -> list[int]:
    """Numbers of the first steps."""
    steps: list[int] = []
    deadline = time.monotonic() + 300
    while len(steps) < count and time.monotonic() < deadline:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        event = json.loads(line)
        steps += [event["done"]] if event["event"] == "step" else []
    return steps
