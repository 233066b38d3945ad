"""Starting is cheap: nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "segmentation_models_pytorch",
    "napari",
    "qtpy",
    "PyQt6",
    "matplotlib",
    "cv2",
    "scipy",
)
#: Processor time, not time on the clock: other work on the machine does not count.
PROCESSOR_SECONDS = 2.0


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    "statement",
    [
        "import metseg",
        "import metseg.cli",
        "sys.argv[1:] = ['--help']\nfrom metseg.cli import main\ntry: main()\nexcept SystemExit: pass",
        "sys.argv[1:] = ['predict', '--help']\nfrom metseg.cli import main\ntry: main()\nexcept SystemExit: pass",
    ],
    ids=["import metseg", "import metseg.cli", "metseg --help", "metseg predict --help"],
)
def test_nothing_heavy_is_imported(statement: str) -> None:
    assert modules_after(statement).isdisjoint(HEAVY)


@pytest.mark.skipif(sys.platform == "win32", reason="no count of a child's processor time there")
def test_help_is_quick() -> None:
    before = os.times()
    subprocess.run([sys.executable, "-m", "metseg.cli", "--help"], check=True, capture_output=True)
    after = os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    assert 0 < worked < PROCESSOR_SECONDS
