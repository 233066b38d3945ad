"""Take the pictures of docs/tutorial.md: the synthetic head saved, predicted, corrected and exported in a real window.

xvfb-run -a -s "-screen 0 1280x800x24" python docs/scripts/screenshot_tutorial.py [--output FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import napari
import numpy as np
from mouse import drag
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton
from window import PLUGIN, settle, wait_until

from metseg.lesions import label_lesions

IMAGES = Path(__file__).resolve().parents[1] / "images"
_QUALITY = 80


class Tutorial:
    """The steps of the page, each with its picture."""

    def __init__(self, output: Path, folder: Path) -> None:
        self._output, self._folder = output, folder
        self._viewer = napari.Viewer(show_welcome_screen=False)
        self._viewer.window.resize(1280, 800)

    def save_sample(self) -> np.ndarray:
        """Open the sample, save its FLAIR, empty the window; returns the known mask."""
        self._viewer.open_sample(PLUGIN, "synthetic-head")
        layers = {layer.name.partition(" · ")[0]: layer for layer in self._viewer.layers}
        truth = np.asarray(layers["mask (FLAIR abnormality)"].data) > 0
        self._viewer.layers.selection = {layers["FLAIR"]}
        self._viewer.dims.set_current_step(0, 15)
        self._picture("sample")
        patient = self._folder / "patients" / "P1"
        patient.mkdir(parents=True)
        self._viewer.layers.save(str(patient / "P1_flair.nii.gz"), selected=True)
        self._viewer.layers.clear()
        return truth

    def predict(self) -> None:
        """A project of the folder, and the network's proposal."""
        _, self._widget = self._viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        self._state: Any = self._widget.studio.state
        self._widget.studio.create_project(self._folder / "project", self._folder / "patients")
        wait_until(lambda: self._state.project is not None and not self._state.searching, "making the project")
        self._picture("project")
        self._click("Predict")
        self._wait("predicting")
        self._click("Open the first case")
        wait_until(lambda: self._state.case is not None, "opening the case")
        self._wait("opening the case")
        self._canvas = next(one for one in QApplication.allWidgets() if type(one).__name__ == "CanvasBackendDesktop")

    def review(self, truth: np.ndarray) -> None:
        """Look at the slices that matter, outline the largest lesion that was missed, approve."""
        reviewing, labels = self._widget.queue.reviewing, self._state.case.labels
        wait_until(lambda: reviewing.plan is not None and not reviewing.busy, "the order of slices")
        self._key(Qt.Key.Key_J)
        self._picture("review")
        true = label_lesions(truth)
        missed = [number for number in range(1, int(true.max()) + 1) if not labels.data[true == number].any()]
        here = true == max(missed, key=lambda number: int((true == number).sum()))
        z = int(np.argmax(here.sum(axis=(1, 2))))
        rows = np.flatnonzero(here[z].any(axis=1))
        self._widget.studio.go_to(z)
        self._key(Qt.Key.Key_N)
        self._key(Qt.Key.Key_G)
        drag(labels, [(z, float(row), float(np.flatnonzero(here[z, row]).mean())) for row in rows[1:-1]])
        self._picture("correct")
        print(f"{len(missed)} of {true.max()} lesions were missed; outlined: slice {z + 1}, {here.sum()} voxels")
        for _ in range(len(truth)):
            wait_until(lambda: not reviewing.busy, "the order of slices")
            if not reviewing.left:
                break
            self._key(Qt.Key.Key_J)
        self._key(Qt.Key.Key_A)
        settle()
        self._wait("approving")

    def export(self) -> None:
        """Export what was approved."""
        tabs = self._widget.tabs
        tabs.setCurrentIndex([tabs.tabText(place) for place in range(tabs.count())].index("Export"))
        self._widget.export.export_to(self._folder / "exported")
        self._wait("exporting")
        self._picture("export")
        print(*sorted(path.relative_to(self._folder) for path in (self._folder / "exported").rglob("*")), sep="\n")
        self._viewer.close()

    def _click(self, title: str) -> None:
        buttons = [one for one in self._widget.findChildren(QPushButton) if one.isVisible()]
        next(one for one in buttons if one.text().startswith(title)).click()

    def _key(self, key: Qt.Key) -> None:
        QTest.keyClick(self._canvas, key)
        settle(0.5)

    def _wait(self, what: str) -> None:
        settle(0.5)
        wait_until(lambda: not self._widget.studio.busy, what, 3600)

    def _picture(self, name: str) -> None:
        self._viewer.reset_view(margin=0.02)
        settle(1.5)
        if name in {"review", "correct"}:
            wait_until(lambda: not self._widget.lesions.busy, "measuring the lesions")
            settle(0.5)
        path = self._output / f"tutorial_{name}.webp"
        shown = Image.fromarray(self._viewer.window.screenshot(flash=False, canvas_only=False)).convert("RGB")
        shown.save(path, quality=_QUALITY, method=6)
        print(path, f"{path.stat().st_size // 1000} kB", flush=True)


def main() -> None:
    """Walk through the tutorial, and take the pictures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=IMAGES)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tutorial = Tutorial(given.output, Path(scratch))
        truth = tutorial.save_sample()
        tutorial.predict()
        tutorial.review(truth)
        tutorial.export()


if __name__ == "__main__":
    main()
