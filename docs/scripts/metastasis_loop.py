r"""The studio's whole loop on metastases: predict, correct, approve, retrain, promotion check, promote.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/metastasis_loop.py --out OUT \
        [--model metastases] [--cases 12] [--steps 20] [--data DIR]

Synthetic heads, which no network saw, become a project; their known masks stand for the corrections of a person. Those
that the export holds out judge the retrained network. ``--data`` are patients that are shown again beside them. Every
step is a command of ``metseg``, printed with what it said. Pictures of the window go to OUT/images.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
from window import PLUGIN, settle, wait_until

from metseg.curation import Project, export_pairs
from metseg.lesions import Target
from metseg.study import Sequence
from metseg.synthetic import synthetic_study


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

    def picture(self, case: str, z: int, name: str) -> None:
        """Open a case, go to a slice, and take a picture."""
        self._widget.studio.open_case(case)
        wait_until(lambda: self._state.case is not None and self._state.case.name == case, "opening a case")
        wait_until(lambda: not self._widget.studio.busy, "opening a case")
        settle()
        self._widget.studio.go_to(z)
        self._viewer.reset_view(margin=0.02)
        self._viewer.mouse_over_canvas = False  # else a brush is drawn where the mouse happens to be
        settle()
        wait_until(lambda: not self._widget.lesions.busy, "measuring the lesions")
        settle()
        path = self._images / f"{name}.png"
        self._viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        print(path, flush=True)

    def close(self) -> None:
        """Close it."""
        self._viewer.close()


def write_heads(number: int, scans: Path, masks: Path) -> None:
    """Write the post-contrast channel of synthetic heads, and apart from it the mask of what enhances."""
    for seed in range(number):
        head = synthetic_study(seed, target=Target.ENHANCING_LESION)
        post_contrast = replace(head, voxels=head.select([Sequence.POST]), sequences=(Sequence.POST,))
        export_pairs(post_contrast, head.mask, masks)
    for image in sorted(masks.rglob("*.tif")):
        if not image.stem.endswith("_mask"):
            target = scans / image.relative_to(masks)
            target.parent.mkdir(parents=True, exist_ok=True)
            image.rename(target)


def main() -> None:
    """Walk through the loop."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="metastases")
    options.add_argument("--data", type=Path)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--cases", type=int, default=12)
    options.add_argument("--steps", type=int, default=20)
    given = options.parse_args()
    project, scans, masks = (given.out / name for name in ("project", "scans", "masks"))
    write_heads(given.cases, scans, masks)
    metseg("project", "create", project, "--data", scans, "--sequences", Sequence.POST)
    metseg("project", "predict", project, "--model", given.model)
    queue = metseg("project", "queue", project)
    names = [case.name for case in Project.open(project).cases()]
    shown = min(names, key=lambda name: queue.find(name) if name in queue else len(queue))
    known = synthetic_study(int(shown.rpartition("-")[2]), target=Target.ENHANCING_LESION).mask
    largest = 0 if known is None else int(known.sum(axis=(1, 2)).argmax())
    window = Window(project, given.out / "images")
    window.picture(shown, largest, "loop_predicted")
    window.close()
    for name in names:
        metseg("project", "approve", project, name, "--masks", masks, "--annotator", "reader")
    metseg("project", "status", project)
    child = given.out / "child"
    metseg(
        *("retrain", project, "--parent", given.model, "--out", child, "--held-out", 0.3),
        *("--epochs", 1, "--steps-per-epoch", given.steps, *(() if given.data is None else ("--data", given.data))),
    )
    print((child / "gate.md").read_text(encoding="utf-8"))
    metseg("project", "promote", project, child)
    window = Window(project, given.out / "images")
    window.picture(shown, largest, "loop_corrected")
    window.close()


if __name__ == "__main__":
    main()
