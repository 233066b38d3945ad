"""How the command leaves: exit statuses, one sentence on standard error, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import metseg

pytestmark = pytest.mark.slow

#: The command line; it sends itself a signal after three training steps.
ASKED_AFTER_THREE_STEPS = """
import os, sys
from metseg.cli import main
from metseg.training.trainer import Trainer

number, run_epoch = int(sys.argv.pop(1)), Trainer.run_epoch

def asked(trainer):
    for count, event in enumerate(run_epoch(trainer), 1):
        if count == 3:
            os.kill(os.getpid(), number)
        yield event

Trainer.run_epoch = asked
main()
"""


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "metseg.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_version() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout) == (0, f"metseg {metseg.__version__}\n")


def test_help_names_every_command() -> None:
    done = command("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("predict", "train", "evaluate", "models", "inspect", "demo"))


def test_the_installed_command_is_the_same() -> None:
    script = Path(sys.executable).with_name("metseg")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == command("--version").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "--model", "no-such-model", "--input", ".", "--output", "out"), "no-such-model"),
        (("inspect", "no-such-folder"), "no-such-folder"),
        (("evaluate", "--model", "no-such-model", "--data", "."), "no-such-model"),
        (("train", "--model", "nested_unet", "--data", "no-such-folder", "--out", "out"), "no-such-folder"),
        (("train", "--model", "vgg", "--data", ".", "--out", "out"), "vgg"),
        (("predict", "--input", "."), "--output"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    metseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = metseg(*arguments)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_an_impossible_setting_names_its_option(metseg: Any, tmp_path: Path) -> None:
    done = metseg("train", "--model", "nested_unet", "--data", tmp_path, "--out", tmp_path / "o", "--crop", "100")
    assert done.status == 2
    assert "--crop" in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to send to one process")
@pytest.mark.parametrize(("asking", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_asked_to_end_goes_on_from_the_same_step(
    metseg: Any, short_training: list[Any], asking: signal.Signals, status: int
) -> None:
    epoch = (*short_training, "--epochs", "1", "--steps-per-epoch", "5")
    stopped = subprocess.run(
        [sys.executable, "-c", ASKED_AFTER_THREE_STEPS, str(int(asking)), *map(str, epoch)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_ctrl_c,
        timeout=300,
        check=False,
    )
    assert stopped.returncode == status, stopped.stderr
    assert stopped.stderr.endswith("stopped; the same command with --resume goes on\n")
    gone_on = metseg(*epoch, "--resume")
    assert gone_on.status == 0, gone_on.err
    assert "continuing after epoch 0 and 3 steps\n" in gone_on.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to one process")
def test_a_process_that_trains_leaves_with_130_after_ctrl_c(short_training: list[Any]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "metseg.cli", *map(str, short_training), "--epochs", "200", "--steps-per-epoch", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=_heed_ctrl_c,
    )
    _wait_for(short_training[short_training.index("--out") + 1] / "state.pt", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    beside_the_log = [line for line in said.splitlines() if not line.startswith(("epoch", "training"))]
    assert beside_the_log == ["stopped; the same command with --resume goes on"]


@pytest.fixture
def short_training(write_patient: Any, tmp_path: Path) -> list[Any]:
    """Arguments of a training with small batches of small crops."""
    for name in ("a", "b", "c"):
        write_patient(tmp_path / "data" / name)
    train = ["train", "--model", "attention_unet", "--data", tmp_path / "data", "--out", tmp_path / "run"]
    return [*train, "--crop", "64", "--size", "64", "--batch-size", "2"]


def _heed_ctrl_c() -> None:
    """A job in the background of a script inherits that Ctrl-C is ignored; a terminal's does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 900
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
