"""The scripts behind docs/benchmarks, each in a small setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metseg.checkpoints import load_checkpoint, save_checkpoint

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="bounds and measures memory")]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network that is shown smaller slices, yet large enough for bf16, and for a batch to run out of memory."""
    checkpoint = load_checkpoint("attention_unet")
    small = checkpoint.card.preprocessing.model_copy(update={"size": 192})
    card = checkpoint.card.model_copy(update={"name": "small", "preprocessing": small})
    return str(save_checkpoint(tmp_path_factory.mktemp("weights") / "small", checkpoint.network(), card))


def rows(*command: str) -> list[list[str]]:
    """Cells of the table that a command prints, less its head."""
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_check_of_a_gpu_runs_on_the_cpu(network: str) -> None:
    found = {
        check: result for _, check, result in rows(f"{ROOT}/benchmarks/gpu.sh", network, "--device", "cpu", "--small")
    }
    assert len(found) == 7
    assert "out of memory" in found
    assert not found["out of memory"].startswith("0 times")
    assert "Dice" in found["right answers"]
    assert found["slices a second, 4 at once"].endswith("% of the peak")
    assert float(found["a patient of 30 slices, network loaded"].removesuffix(" s")) > 0
    assert any(result.endswith(" slices a second") for result in found.values())


def test_openvino_is_faster_than_the_network_as_published() -> None:
    script = f"{ROOT}/docs/scripts/measure_backends.py"
    one, sixteen = rows(sys.executable, script, "attention_unet", "--tables", "slices", "--repeats", "5")
    assert [one[1], sixteen[1]] == ["1", "16"]
    assert float(sixteen[-2]) > 1  # 2 to 8 where it was measured


def test_the_stages_from_files_to_masks_add_up(network: str) -> None:
    script = f"{ROOT}/docs/scripts/measure_backends.py"
    (row,) = rows(sys.executable, script, network, "--tables", "stages", "--patients", "1")
    shares = [int(cell.removesuffix("%")) for cell in row[4:]]
    assert min(shares) >= 0
    assert 90 <= sum(shares) <= 102
    assert int(row[2]) >= 20


def test_memory_is_measured_by_the_slices_of_a_study(network: str) -> None:
    script = f"{ROOT}/docs/scripts/measure_backends.py"
    options = ("--tables", "memory", "--slices", "1", "200", "--backends", "torch")
    study, segmented = rows(sys.executable, script, network, *options)
    assert study[0] == "only the study"
    assert segmented[1] == "torch"
    sizes = [[float(cell.replace(",", "")) for cell in row[2:]] for row in (study, segmented)]
    assert 30 < sizes[0][1] - sizes[0][0] < 60  # 199 slices of 3 x 256 x 256 bytes: 37 MB
    assert all(later > only for later, only in zip(*reversed(sizes), strict=True))
