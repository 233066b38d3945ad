"""A training shared by two processes under torchrun takes the steps of one process, and they end together."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from metseg.checkpoints import load_checkpoint
from metseg.errors import DataError, MetsegError
from metseg.events import Progress, drain
from metseg.training import Processes, TrainingConfig, join_processes, train

PROGRAM = Path(__file__).with_name("train_in_fp64.py")
#: Two epochs of two steps, the encoder frozen in the first; the untrained network finds lesions at this threshold.
SETTINGS = {"threshold": 0.02}
ARGUMENTS = (
    "--model attention_unet --freeze-encoder 1 --epochs 2 --steps-per-epoch 2 --batch-size 4 --crop 64 --size 96"
)
TORCHRUN = "-m torch.distributed.run --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:0"

on_loopback = pytest.mark.skipif(sys.platform != "linux", reason="lo is Linux's name of the loopback interface")


@dataclass(frozen=True)
class Ended:
    """A training command that came to its end."""

    out: Path
    status: int
    printed: str
    said: str

    @property
    def log(self) -> list[dict[str, float]]:
        with (self.out / "log.csv").open() as file:
            return [{key: float(cell) for key, cell in row.items() if key != "seconds"} for row in csv.DictReader(file)]

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(self.out / "state.pt", weights_only=True)
        return state


def start(heads: Path, out: Path, processes: int, *more: str, **stopping: str) -> Ended:
    """Train in one or two processes that talk over the loopback interface only."""
    launcher = [] if processes == 1 else [*TORCHRUN.split(), "--local-addr", "127.0.0.1"]
    command = [sys.executable, *launcher, str(PROGRAM), "train", *ARGUMENTS.split()]
    settings = out.with_name("settings.json")
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
    command += ["--config", str(settings), "--data", str(heads), "--out", str(out), "--device", "cpu", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **stopping}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    return Ended(out, done.returncode, done.stdout, done.stderr)


def assert_same(one: Ended, other: Ended) -> None:
    """The same split, losses, scores, weights and statistics, but for the rounding of fp64."""
    assert other.status == 0, other.said
    assert (other.out / "split.json").read_bytes() == (one.out / "split.json").read_bytes()
    assert len(other.log) == len(one.log) == 2
    for before, after in zip(one.log, other.log, strict=True):
        assert 0 < before["mean_dice"] < 1
        assert after == pytest.approx(before, rel=1e-6)
    mine, theirs = one.state(), other.state()
    for part in ("network", "average"):
        torch.testing.assert_close(theirs[part], mine[part], rtol=1e-6, atol=1e-8)


@pytest.fixture(scope="module")
def alone(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    ended = start(heads, tmp_path_factory.mktemp("runs") / "run", processes=1)
    assert ended.status == 0, ended.said
    return ended


@on_loopback
@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(alone: Ended, heads: Path, tmp_path: Path) -> None:
    together = start(heads, tmp_path / "run", processes=2)
    assert_same(alone, together)
    assert sorted(path.name for path in together.out.iterdir()) == sorted(path.name for path in alone.out.iterdir())
    assert together.printed == f"{together.out / 'model.safetensors'}\n"
    assert together.said.count("epoch 2 of 2: loss") == 1
    card = load_checkpoint(together.out).card
    assert card.training.command.startswith("torchrun --nnodes 1 --nproc-per-node 2 -m metseg.cli train --model")
    assert card.scores["held_out"]["mean_dice"] == pytest.approx(
        load_checkpoint(alone.out).card.scores["held_out"]["mean_dice"], abs=1e-3
    )


@on_loopback
@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2)])
def test_stopped_processes_leave_together_and_any_number_goes_on(
    alone: Ended, heads: Path, tmp_path: Path, first: int, then: int
) -> None:
    stopped = start(heads, tmp_path / "run", first, METSEG_STOP_AFTER="3")
    assert stopped.status != 0
    assert stopped.said.count("stopped; the same command with --resume goes on") == 1, stopped.said
    state = stopped.state()
    assert (state["epoch"], state["step"]) == (1, 1)
    resumed = start(heads, tmp_path / "run", then, "--resume")
    assert resumed.said.count("continuing after epoch 1 and 1 step\n") == 1, resumed.said
    assert_same(alone, resumed)


@on_loopback
@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_state_is_kept(alone: Ended, heads: Path, tmp_path: Path) -> None:
    killed = start(heads, tmp_path / "run", 2, METSEG_STOP_AFTER="3", METSEG_KILLED="")
    assert killed.status != 0
    state = killed.state()
    assert (state["epoch"], state["step"]) == (1, 1)
    resumed = start(heads, tmp_path / "run", 2, "--resume")
    assert_same(alone, resumed)


@pytest.mark.parametrize(
    ("processes", "settings", "said"),
    [
        (3, {}, "3 processes cannot share a batch of 4 slices equally"),
        (4, {"architecture": "unet3d", "batch_size": 8}, "a batch of 8 slices in 2 stacks equally"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(
    heads: Path, quick: TrainingConfig, tmp_path: Path, processes: int, settings: dict[str, Any], said: str
) -> None:
    config = TrainingConfig.model_validate(quick.model_dump() | settings)
    with pytest.raises(DataError, match=said):
        drain(train(config, heads, tmp_path / "run", processes=Processes(1, processes)))
    assert not (tmp_path / "run").exists()


def test_the_parts_of_all_processes_are_the_batch_in_order() -> None:
    assert [Processes(rank, 3).part(list("abcdef")) for rank in range(3)] == [["a", "b"], ["c", "d"], ["e", "f"]]


def test_a_process_alone_ends_after_any_event() -> None:
    assert Processes().agreed_signal(Progress(1, 2), 15) == 15


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("auto", "2 processes on this machine need a card each, and there are 1; start as many processes as cards"),
        ("cuda", "or add --device cpu"),
        ("cuda:0", "'cuda:0' is neither"),
    ],
)
def test_processes_without_a_card_of_their_own_are_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str, said: str
) -> None:
    started = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("metseg.training.distributed.available_devices", lambda: ["cuda", "cpu"])
    with pytest.raises(MetsegError, match=said):
        join_processes(wanted)


def test_without_torchrun_the_training_is_alone_on_the_device_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert join_processes("cuda:1") == (Processes(), "cuda:1")
