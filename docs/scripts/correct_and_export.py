"""Segment a patient in a real napari window, correct slices with the brush, export them for training.

    xvfb-run python docs/scripts/correct_and_export.py PATIENT_FOLDER --model NAME_OR_FILE --output FOLDER

The corrections stand in for a person's: on each of the slices that need it most, what the network missed of the
patient's own mask is painted and islands that it made up are filled with background, by the calls that mouse and
keyboard make. A patient without masks gets one stroke of the brush on each of the slices with most lesion. The
exported folder is what ``metseg train --data`` takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import napari
import numpy as np
from scipy import ndimage
from window import PLUGIN, open_widget, segment, settle, wait_until

BRUSH = 3


def main() -> None:
    """Open, segment, correct, export."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("patient", type=Path)
    options.add_argument("--model", help="network to use; by default the first one installed")
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--slices", type=int, default=10)
    options.add_argument("--screenshot", type=Path, help="also take a picture of the window")
    given = options.parse_args()

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(1440, 900)
    viewer.open(str(given.patient), plugin=PLUGIN)
    widget = open_widget(viewer, given.model)
    outline = segment(viewer, widget)
    print(f"{given.patient.name}: {widget.state.summary}")
    study = outline.metadata["metseg"].study
    corrected = correct(viewer, outline, study.mask, given.slices)
    wait_until(lambda: widget.state.edited and not widget.controller.busy, "counting again")
    if len(corrected) < given.slices:
        print(f"no more than {len(corrected)} slices needed a correction")
    print(f"corrected slices {', '.join(str(z + 1) for z in corrected)}: {widget.state.summary}")
    if given.screenshot:
        settle()
        viewer.window.screenshot(str(given.screenshot), flash=False, canvas_only=False)
    export(widget, given.output)
    viewer.close()


def correct(viewer: napari.Viewer, outline: Any, truth: np.ndarray | None, count: int) -> list[int]:
    """Correct the ``count`` slices that need it most; returns those that changed."""
    before = np.array(outline.data)
    target = ndimage.binary_dilation(before > 0, iterations=1) if truth is None else truth > 0
    wrong = (target != (before > 0)).sum(axis=(1, 2))
    outline.brush_size = BRUSH
    changed: list[int] = []
    for z in np.argsort(-wrong, kind="stable"):
        if len(changed) == count or not wrong[z]:
            break
        viewer.dims.set_current_step(0, int(z))
        with outline.block_history():
            correct_slice(outline, int(z), target[z])
        if np.any(outline.data[z] != before[z]):
            changed.append(int(z))
    return sorted(changed)


def correct_slice(outline: Any, z: int, target: np.ndarray) -> None:
    """Paint what is missing inside ``target``, fill islands that lie wholly outside it, rub out the rest."""
    drawn = np.asarray(outline.data[z]) > 0
    islands, count = ndimage.label(drawn)
    for island in range(1, count + 1):
        inside = islands == island
        if not np.any(target & inside):
            outline.fill((z, *np.argwhere(inside)[0]), 0)
    for y, x in np.argwhere(target & ~drawn):
        outline.paint((z, y, x), 1)
    outline.brush_size = 1
    for y, x in np.argwhere(~target & (np.asarray(outline.data[z]) > 0)):
        outline.paint((z, y, x), 0)
    outline.brush_size = BRUSH


def export(widget: Any, folder: Path) -> None:
    """Export the slices that were edited, as the Export button does."""
    from metseg.napari_plugin.state import Slices

    widget.state.slices = Slices.EDITED
    widget.controller.export(folder, lambda there, described: False)
    wait_until(lambda: not widget.controller.busy, "exporting")
    print("\n".join(widget.state.notices) or f"{folder}: nothing exported; files are there already")


if __name__ == "__main__":
    main()
