r"""The studio's whole loop on metastases that the network never saw: predict, correct, approve, retrain, gate, adopt.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/metastasis_loop.py --model RUN --data DIR --out OUT \\
        [--cases 8] [--steps 60]

RUN is a fold of ``metseg train``. The first of its held-out patients become a project; the known masks stand for the
corrections of a person; the other held-out patients are the judges of the retrained network. Every step is a command of
``metseg``, printed with what it said. Pictures of the window go to OUT/images.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import napari
import numpy as np
from window import PLUGIN, settle, wait_until

from metseg.checkpoints import load_checkpoint
from metseg.curation import Project


def metseg(*arguments: object) -> str:
    """Run a command, print it and what it said."""
    words = [str(argument) for argument in arguments]
    print("$", shlex.join(["metseg", *words]), flush=True)
    command = [sys.executable, "-m", "metseg.cli", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    print(said.stdout, said.stderr, sep="", flush=True)
    return said.stdout


class Window:
    """The correction studio in a window of its own."""

    def __init__(self, project: Path, images: Path) -> None:
        images.mkdir(parents=True, exist_ok=True)
        self._images = images
        self._viewer = napari.Viewer(show_welcome_screen=False)
        self._viewer.window.resize(1440, 900)
        _, self._widget = self._viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        self._state: Any = self._widget.studio.state
        self._widget.studio.open_project(project)
        wait_until(lambda: self._state.project is not None and not self._state.searching, "opening the project")

    def picture(self, case: str, name: str) -> None:
        """Open a case, go to its largest lesion's largest slice, and take a picture."""
        self._widget.studio.open_case(case)
        wait_until(lambda: self._state.case is not None and self._state.case.name == case, "opening a case")
        wait_until(lambda: not self._widget.studio.busy, "opening a case")
        labels = np.asarray(self._state.case.labels.data) > 0
        self._widget.studio.go_to(int(labels.sum(axis=(1, 2)).argmax()))
        self._viewer.reset_view(margin=0.02)
        settle(1.5)
        path = self._images / f"{name}.png"
        self._viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        print(path, flush=True)

    def close(self) -> None:
        """Close it."""
        self._viewer.close()


def main() -> None:
    """Walk through the loop."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", type=Path, required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--cases", type=int, default=8)
    options.add_argument("--steps", type=int, default=60)
    given = options.parse_args()
    project, scans, masks = (given.out / name for name in ("project", "scans", "masks"))
    unseen = load_checkpoint(given.model).card.training.held_out[: given.cases]
    for patient in unseen:
        for path in sorted((given.data / patient).glob("*.tif")):
            target = (masks if path.stem.endswith("_mask") else scans) / patient / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    metseg("project", "create", project, "--data", scans)
    metseg("project", "predict", project, "--model", given.model)
    queue = metseg("project", "queue", project)
    names = [case.name for case in Project.open(project).cases()]
    shown = min(names, key=lambda name: queue.find(name) if name in queue else len(queue))
    window = Window(project, given.out / "images")
    window.picture(shown, "loop_predicted")
    window.close()
    for name in names:
        metseg("project", "approve", project, name, "--masks", masks / name.rpartition("-")[0], "--annotator", "reader")
    metseg("project", "status", project)
    child = given.out / "child"
    metseg(
        *("retrain", project, "--parent", given.model, "--data", given.data, "--out", child),
        *("--patient", r"(.+)-\d+$", "--epochs", 1, "--steps-per-epoch", given.steps),
    )
    print((child / "gate.md").read_text(encoding="utf-8"))
    metseg("project", "adopt", project, child)
    window = Window(project, given.out / "images")
    window.picture(shown, "loop_corrected")
    window.close()


if __name__ == "__main__":
    main()
