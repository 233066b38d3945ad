"""Take ``docs/images/loop.webp``: three patients with metastases predicted, corrected and exported in a real window.

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/film_loop.py [--output FILE] [--model NAME]

The patients are synthetic heads whose true lesions are known; who corrects them knows the truth, and works with keys
and mouse as in review_by_hand.py. A frame is taken when something is done to a patient for the first time, with a
line that says what.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import napari
import numpy as np
from matplotlib import font_manager
from metastasis_loop import metseg, write_heads
from PIL import Image, ImageDraw, ImageFont
from qtpy.QtCore import Qt
from review_by_hand import Reviewer
from window import PLUGIN, settle, wait_until

from metseg.lesions import Target
from metseg.study import Sequence
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
_PATIENTS = 3
_WIDTH, _LINE = 1024, 30
#: Milliseconds that a frame is shown, and the last one.
_SHOWN, _LAST = 1100, 4000
_SAID = {
    "J": "J: the next slice that is worth a look",
    "Delete": "Delete: this is no lesion",
    "N": "N: a new lesion …",
    "G": "G: … with the guided brush",
    "stroke": "One stroke: outlined along the image's edge",
    "click in the table": "A click in the table: the lesion is selected and shown",
    "U": "U: grow the selected lesion by a pixel in this slice",
    "D": "D: shrink the selected lesion by a pixel in this slice",
    "Ctrl-Z": "Ctrl-Z: taken back",
    "A": "A: approved; the next patient opens",
}


class Film:
    """Frames of a window, each with a line below it."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
        self._frames: list[Image.Image] = []

    def take(self, text: str) -> None:
        """Add a frame."""
        settle(0.7)
        window = Image.fromarray(self._viewer.window.screenshot(flash=False, canvas_only=False)).convert("RGB")
        height = round(window.height * _WIDTH / window.width)
        frame = Image.new("RGB", (_WIDTH, height + _LINE), "#1b1b1f")
        frame.paste(window.resize((_WIDTH, height), Image.Resampling.LANCZOS))
        ImageDraw.Draw(frame).text((12, height + 6), text, "white", self._font)
        self._frames.append(frame)
        print(f"frame {len(self._frames)}: {text}", flush=True)

    def save(self, path: Path) -> None:
        """Write them all as an animated picture."""
        path.parent.mkdir(parents=True, exist_ok=True)
        times = [_SHOWN] * (len(self._frames) - 1) + [_LAST]
        first, *others = self._frames
        first.save(path, save_all=True, append_images=others, duration=times, loop=0, quality=55, method=6)
        print(f"{path}: {len(times)} frames, {path.stat().st_size / 1e6:.2f} MB")


class FilmedReviewer(Reviewer):
    """A reviewer who is watched; what is done to a patient several times is shown once."""

    def __init__(self, widget: Any, truths: dict[str, np.ndarray], film: Film) -> None:
        super().__init__(widget, truths)
        self._film = film
        self._shown: set[tuple[str, str]] = set()

    def _measured(self, title: str, act: Any) -> None:
        name = self.state.case.name
        super()._measured(title, act)
        if (name, title) not in self._shown and not self.widget.message.state.refused:
            self._shown.add((name, title))
            self._film.take(f"{name} · {_SAID.get(title, title)}")

    def _draw(self, here: np.ndarray) -> None:
        """Take a stroke back that outlines more of something else."""
        labels = self.state.case.labels
        before = labels.data.copy()
        super()._draw(here)
        changed = labels.data != before
        if 2 * (changed & here).sum() < changed.sum():
            self._key("Ctrl-Z", Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def main() -> None:
    """Predict, correct, approve, export; a frame at each step."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="metastases")
    options.add_argument("--output", type=Path, default=IMAGES / "loop.webp")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project, scans, masks = (Path(scratch, name) for name in ("project", "scans", "masks"))
        write_heads(_PATIENTS, scans, masks)
        metseg("project", "create", project, "--data", scans, "--sequences", Sequence.POST)
        heads = [synthetic_study(seed, target=Target.ENHANCING_LESION) for seed in range(_PATIENTS)]
        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(1366, 768)
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
        studio, state, film = widget.studio, widget.studio.state, Film(viewer)
        studio.open_project(project)
        wait_until(lambda: state.project is not None and not state.searching, "opening the project")
        state.model = given.model
        film.take(f"A project of {_PATIENTS} patients, post-contrast T1")
        widget.tabs.setCurrentIndex(1)
        widget.proposal.proposing.predict_all()
        settle(0.3)
        wait_until(lambda: not studio.busy, "predicting", 3600)
        film.take(f"Predicted with the network {given.model}")
        widget.tabs.setCurrentIndex(0)
        reviewer = FilmedReviewer(widget, {head.name: np.asarray(head.mask) for head in heads}, film)
        widget.queue.reviewing.next_case()
        for _ in heads:
            wait_until(lambda: state.case is not None and not studio.busy, "opening a case")
            viewer.reset_view(margin=0.02)
            film.take(f"{state.case.name} · what the network proposes, most doubtful patient first")
            reviewer.review()
        widget.tabs.setCurrentIndex(2)
        widget.export.export_to(Path(scratch, "exported"))
        settle(0.3)
        wait_until(lambda: not studio.busy, "exporting")
        film.take("Exported: images, masks and where each came from; held-out patients apart")
        film.save(given.output)
        viewer.close()


if __name__ == "__main__":
    main()
