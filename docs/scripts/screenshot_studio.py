"""Take the pictures of docs/studio.md: synthetic heads reviewed, corrected, exported in a real napari window.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/scripts/screenshot_studio.py [--model NAME_OR_FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import napari
import numpy as np
from mouse import drag
from window import PLUGIN, settle, wait_until

from metseg.curation import Project, export_pairs
from metseg.study import find_studies, load
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
_HEADS = 4


def project_of_heads(folder: Path) -> Project:
    """A project of synthetic heads, from image files."""
    project = Project.create(folder / "project")
    for seed in range(_HEADS):
        head = synthetic_study(seed)
        if head.mask is not None:
            export_pairs(head, head.mask, folder / "heads")
    for mask in (folder / "heads").rglob("*_mask.tif"):
        mask.unlink()
    for files in find_studies(folder / "heads"):
        for study in load(files).studies:
            project.add(study)
    return project


def _middle(lesion: np.ndarray) -> list[tuple[float, float]]:
    """A path down the middle of a lesion, shape (y, x), that leaves out its ends."""
    rows = np.flatnonzero(lesion.any(axis=1))
    inner = rows[len(rows) // 4 : -len(rows) // 4 or None : 3]
    return [(float(row), float(np.flatnonzero(lesion[row]).mean())) for row in inner]


class Tour:
    """A walk through the studio, a picture at each stop."""

    def __init__(self, output: Path, model: str | None, size: tuple[int, int]) -> None:
        self._output = output
        self._viewer = napari.Viewer(show_welcome_screen=False)
        self._viewer.window.resize(*size)
        _, self.widget = self._viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        self._model = model
        self.state = self.widget.studio.state

    def open(self, project: Project) -> None:
        """Open the project, let the network predict every case, open the first in review order."""
        studio, state = self.widget.studio, self.state
        studio.open_project(project.path)
        wait_until(lambda: state.project is not None and not state.searching, "opening the project")
        if self._model:
            state.model = self._model
        self.widget.proposal.proposing.predict_all()
        self._wait("predicting")
        reviewing = self.widget.queue.reviewing
        wait_until(lambda: not (studio.state.listing or reviewing.busy), "the order of cases")
        reviewing.next_case()
        wait_until(lambda: state.case is not None, "opening a case")

    def correct(self) -> None:
        """Review the slice that is worth most; then one stroke of the guided brush over a lesion."""
        wait_until(lambda: not self.widget.queue.reviewing.busy, "the order of slices")
        self.widget.queue.reviewing.next_slice()
        wait_until(lambda: self.state.case.view.reviewed, "keeping which slice was looked at")
        self._picture("studio_review")
        studio, labels = self.widget.studio, self.state.case.labels
        z = int(np.argmax((np.asarray(labels.data) > 0).sum(axis=(1, 2))))
        plane = np.asarray(labels.data)[z]
        lesion = int(np.bincount(plane[plane > 0]).argmax())
        path = _middle(plane == lesion)
        studio.go_to(z)
        self.state.lesion = lesion
        self._press("Delete")
        studio.new_lesion()
        self._press("G")
        drag(labels, [(z, *place) for place in path])
        self._picture("studio_correct")

    def propose(self) -> None:
        """Another network's prediction, shown before it is taken over."""
        self._tab("Predict")
        self.state.model = "nested_unet"
        self.widget.proposal.proposing.predict()
        wait_until(lambda: self.state.proposal is not None, "predicting")
        self._picture("studio_predict")
        self.widget.proposal.proposing.discard()

    def export(self, folder: Path) -> None:
        """Approve two cases, and export them."""
        for _ in range(2):
            here = self.state.case.name
            self.widget.queue.reviewing.approve_anyway()
            wait_until(lambda here=here: self.state.case is not None and self.state.case.name != here, "approving")
        self._tab("Export")
        self.widget.export.export_to(folder / "exported")
        self._wait("exporting")
        self._picture("studio_export")

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()

    def _press(self, key: str) -> None:
        next(shortcut for shortcut in self.widget.studio.shortcuts if shortcut.key == key).action()
        settle(0.5)

    def _tab(self, title: str) -> None:
        tabs = self.widget.tabs
        tabs.setCurrentIndex([tabs.tabText(place) for place in range(tabs.count())].index(title))

    def _wait(self, what: str) -> None:
        settle(0.3)
        wait_until(lambda: not self.widget.studio.busy, what)

    def _picture(self, name: str) -> Any:
        self._viewer.reset_view(margin=0.02)
        self._viewer.mouse_over_canvas = False  # else a brush is drawn where the mouse happens to be
        settle(1.5)
        wait_until(lambda: not self.widget.lesions.busy, "measuring the lesions")
        settle(0.5)
        path = self._output / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        print(path, flush=True)


def main() -> None:
    """Walk, and take the pictures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="network to use; by default the project's first choice")
    options.add_argument("--output", type=Path, default=IMAGES)
    options.add_argument("--size", type=int, nargs=2, default=(1600, 1000), metavar=("WIDTH", "HEIGHT"))
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tour = Tour(given.output, given.model, tuple(given.size))
        tour.open(project_of_heads(Path(scratch)))
        tour.correct()
        tour.propose()
        tour.export(Path(scratch))
        tour.close()


if __name__ == "__main__":
    main()
