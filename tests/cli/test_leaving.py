"""How the command leaves: exit statuses, one sentence on standard error, no traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import metseg


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


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to one process")
def test_ctrl_c_leaves_with_130_and_the_run_can_be_resumed(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_patient(tmp_path / "data" / name)
    run = tmp_path / "run"
    train = ["train", "--model", "attention_unet", "--data", tmp_path / "data", "--out", run, "--epochs", "200"]
    train += ["--crop", "64", "--size", "64", "--batch-size", "2", "--steps-per-epoch", "1"]
    first = _start([sys.executable, "-m", "metseg.cli", *train])
    _wait_for(run / "state.pt", first)
    assert _interrupt(first) == ""
    before = _epochs(run)
    import matplotlib.figure  # noqa: F401  an import that Ctrl-C cuts short would stay broken in the tests that follow

    with _ctrl_c_when(lambda: _epochs(run) > before):
        again = metseg(*train, "--resume")
    assert again.status == 130, again.err
    assert re.fullmatch(r"continuing after epoch \d+( and 1 step)?\n", _beside_the_log(again.err))


def _start(command: list[str | Path]) -> subprocess.Popen[str]:
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=quiet, preexec_fn=_heed_ctrl_c
    )


def _heed_ctrl_c() -> None:
    """A job in the background of a script inherits that Ctrl-C is ignored; a terminal's does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; what is said then, less the log of the epochs."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    return _beside_the_log(said)


def _beside_the_log(said: str) -> str:
    return "".join(line for line in said.splitlines(keepends=True) if not re.match("epoch|training", line))


def _epochs(run: Path) -> int:
    log = run / "log.csv"
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


@contextmanager
def _ctrl_c_when(condition: Callable[[], bool]) -> Iterator[None]:
    """Press Ctrl-C once in this very process as soon as ``condition`` holds."""
    left = threading.Event()

    def press() -> None:
        while not condition():
            if left.wait(0.05):
                return
        os.kill(os.getpid(), signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()
        signal.signal(signal.SIGINT, usual)


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 900
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
