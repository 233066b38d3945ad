"""Starting is cheap: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
import time

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
SECONDS = 4.0


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


def test_help_is_quick() -> None:
    taken = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "metseg.cli", "--help"], check=True, capture_output=True)
        taken.append(time.monotonic() - started)
    assert min(taken) < SECONDS
