"""What a reviewer does with mouse and keys until ten cases are approved, and how long the window stands still.

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/review_by_hand.py [--cases 10] [--model NAME]

Synthetic heads, whose true lesions are known, are predicted and reviewed in a real window: J through the slices that
matter; lesions that are none are clicked in the table and deleted; lesions that were missed get one stroke of the
guided brush; those whose outline is off grow or shrink as long as that helps; then A. Printed are keystrokes, clicks
and strokes by kind, and for each kind the median and the longest work of the window's thread between two ticks of a
timer of 1 ms, from the key to half a second later.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import napari
import numpy as np
from measure_stalls import Pulse
from mouse import drag
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import PLUGIN, settle, wait_until

from metseg.curation import Project, export_pairs
from metseg.lesions import label_lesions
from metseg.study import find_studies, load
from metseg.synthetic import synthetic_study

_SMALLEST, _TOUCHED, _BETTER = 30, 0.1, 0.01
_AFTER = 0.5


class Reviewer:
    """Somebody who knows the truth, and works with keys and mouse as the studio has them."""

    def __init__(self, widget: Any, truths: dict[str, np.ndarray]) -> None:
        self.widget, self.studio, self.state = widget, widget.studio, widget.studio.state
        self._truths = truths
        self._canvas = next(one for one in QApplication.allWidgets() if type(one).__name__ == "CanvasBackendDesktop")
        self.stalls: dict[str, list[float]] = defaultdict(list)

    def review(self) -> None:
        """Review the open case and approve it."""
        name = self.state.case.name
        reviewing = self.widget.queue.reviewing
        wait_until(lambda: reviewing.plan is not None and not reviewing.busy, "the order of slices")
        for _ in range(self.state.case.shape[0]):
            if not reviewing.left:
                break
            self._key("J", Qt.Key.Key_J)
        self._correct(self._truths[name])
        for _ in range(self.state.case.shape[0]):
            wait_until(lambda: not reviewing.busy, "the order of slices")
            if not reviewing.left:
                break
            self._key("J", Qt.Key.Key_J)
        before = self.state.case
        self._key("A", Qt.Key.Key_A)
        done = lambda: self.state.case is not before or not reviewing.waiting_cases()  # noqa: E731
        wait_until(done, "approving", 60)

    def _correct(self, truth: np.ndarray) -> None:
        labels = self.state.case.labels
        true = label_lesions(truth)
        for lesion in np.unique(labels.data[labels.data > 0]):
            if not truth[labels.data == lesion].any():
                self._choose(int(lesion))
                self._key("Delete", Qt.Key.Key_Delete)
        for number in range(1, int(true.max()) + 1):
            here = true == number
            if here.sum() < _SMALLEST:
                continue
            found = labels.data[here]
            if (found > 0).mean() < _TOUCHED:
                self._draw(here)
            else:
                self._fit(int(np.bincount(found[found > 0]).argmax()), here)

    def _draw(self, here: np.ndarray) -> None:
        z = int(np.argmax(here.sum(axis=(1, 2))))
        rows = np.flatnonzero(here[z].any(axis=1))
        path = [(z, float(row), float(np.flatnonzero(here[z, row]).mean())) for row in rows[len(rows) // 4 :: 3]]
        shown = self.studio.shown_slice
        self._wheel(abs(z - shown), z)
        self._key("N", Qt.Key.Key_N)
        self._key("G", Qt.Key.Key_G)
        self._measured("stroke", lambda: drag(self.state.case.labels, path, between=lambda: settle(0.01)))
        self._key("G", Qt.Key.Key_G)

    def _fit(self, lesion: int, here: np.ndarray) -> None:
        """Move the edge in the slice with most of the lesion as long as that helps."""
        labels = self.state.case.labels
        z = int(np.argmax(here.sum(axis=(1, 2))))

        def dice() -> float:
            drawn = labels.data[z] == lesion
            return float(2 * (drawn & here[z]).sum() / max(drawn.sum() + here[z].sum(), 1))

        larger = (labels.data[z] == lesion).sum() < here[z].sum()
        best, chosen = dice(), False
        for _ in range(5):
            if best > 0.9:
                return
            if not chosen:
                self._choose(lesion)
                self.studio.go_to(z)
                chosen = True
            self._key("U" if larger else "D", Qt.Key.Key_U if larger else Qt.Key.Key_D)
            if dice() < best + _BETTER:
                self._key("Ctrl-Z", Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
                return
            best = dice()

    def _choose(self, lesion: int) -> None:
        table = self.widget.lesions
        wait_until(lambda: table.table.place(lesion) is not None, "the lesion table")
        place = table.table.visualRect(table.table.model().index(table.table.place(lesion), 1)).center()
        button = Qt.MouseButton.LeftButton
        self._measured("click in the table", lambda: QTest.mouseClick(table.table.viewport(), button, pos=place))

    def _wheel(self, notches: int, z: int) -> None:
        for _ in range(notches):
            self.stalls["wheel"].append(0.0)
        self.studio.go_to(z)

    def _key(self, title: str, key: Qt.Key, held: Any = Qt.KeyboardModifier.NoModifier) -> None:
        self._measured(title, lambda: QTest.keyClick(self._canvas, key, held))

    def _measured(self, title: str, act: Any) -> None:
        pulse = Pulse()
        pulse.start()
        act()
        settle(_AFTER)
        pulse.stop()
        self.stalls[title].append(pulse.own)


def main() -> None:
    """Review, and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=10)
    options.add_argument("--model", default="attention_unet")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project, truths = Project.create(Path(scratch) / "project"), {}
        for seed in range(given.cases):
            head = synthetic_study(seed)
            truths[head.name] = np.asarray(head.mask)
            export_pairs(head, head.mask, Path(scratch) / "heads")
        for mask in (Path(scratch) / "heads").rglob("*_mask.tif"):
            mask.unlink()
        for files in find_studies(Path(scratch) / "heads"):
            for study in load(files).studies:
                project.add(study)
        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(1366, 768)
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        state = widget.studio.state
        widget.studio.open_project(project.path)
        wait_until(lambda: state.project is not None and not state.searching, "opening the project")
        state.model = given.model
        widget.proposal.proposing.predict_all()
        settle(0.3)
        wait_until(lambda: not widget.studio.busy, "predicting", 3600)
        reviewer = Reviewer(widget, truths)
        widget.queue.reviewing.next_case()
        for _ in range(given.cases):
            wait_until(lambda: state.case is not None and not widget.studio.busy, "opening a case")
            reviewer.review()
        print(
            f"{'':20} {'count':>6} {'median ms':>10} {'most ms':>8}   (work of the window's thread between two ticks)"
        )
        for title, own in sorted(reviewer.stalls.items(), key=lambda one: -len(one[1])):
            print(f"{title:20} {len(own):6} {1000 * np.median(own):10.0f} {1000 * max(own):8.0f}")
        count = sum(map(len, reviewer.stalls.values()))
        print(f"{count} in all, {count / given.cases:.1f} a case")
        viewer.close()


if __name__ == "__main__":
    main()
