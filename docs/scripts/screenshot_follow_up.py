"""Take ``docs/images/follow_up_view.png``: two examinations of a synthetic head side by side, and what changed.

xvfb-run -s "-screen 0 1600x1000x24" python docs/scripts/screenshot_follow_up.py [--output FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import napari
import numpy as np
import SimpleITK
from draw_reports import AFTER, BEFORE, head
from window import PLUGIN, settle, wait_until

from metseg.study import Geometry, Study, write_volume
from metseg.study.resampling import image_of

IMAGES = Path(__file__).resolve().parents[1] / "images"
#: How the head lies in the scanner the second time: radians, and mm.
_TURN, _SHIFT = (0.05, -0.04, 0.12), (5.0, -4.0, 3.0)
#: Number of the lesion that is looked at, and by how much pixels are smaller than those in which lesions are given.
_LESION, _FINER = 2, 2


def main() -> None:
    """Write two examinations, the later head turned; open, compare, choose a lesion, take the picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=IMAGES / "follow_up_view.png")
    options.add_argument("--size", type=int, nargs=2, default=(1600, 800), metavar=("WIDTH", "HEIGHT"))
    given = options.parse_args()
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*given.size)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Follow-up")
    controller, state = widget.controller, widget.state
    with tempfile.TemporaryDirectory() as folder:
        for point, name, study in (
            (state.earlier, "2026-03-02", head(BEFORE, _FINER)),
            (state.later, "2026-08-31", turned(head(AFTER, _FINER))),
        ):
            path = Path(folder, name)
            path.mkdir()
            write_volume(path / f"{name}_t1c.nii.gz", study.voxels[2], study)
            write_volume(path / f"{name}_mask.nii.gz", study.mask, study)
            controller.open(point, path)
            wait_until(lambda: not controller.busy, "opening")
    widget.examinations.compare.click()
    wait_until(lambda: not controller.busy, "comparing")
    if state.comparison is None:
        raise SystemExit("\n".join(state.notices) or state.obstacle)
    settle(1)
    viewer.scene.camera.zoom *= 1.4
    widget.changes.table.setCurrentItem(widget.changes.table.topLevelItem(_LESION - 1))
    settle(2)
    viewer.help = ""  # napari's keys for the selected layer
    given.output.parent.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(str(given.output), flash=False, canvas_only=False)
    print(f"{given.output}: {widget.changes.response.text()}; {widget.changes.reason.text()}")
    viewer.close()


def turned(study: Study) -> Study:
    """The study with its mask, as if the head had been turned and shifted in the scanner."""
    turn = SimpleITK.Euler3DTransform()
    image = image_of(study.voxels[0], study.geometry)
    turn.SetCenter(image.TransformContinuousIndexToPhysicalPoint([size / 2 for size in image.GetSize()]))
    turn.SetRotation(*_TURN)
    turn.SetTranslation(_SHIFT)

    def moved(volume: np.ndarray, how: int) -> np.ndarray:
        there = SimpleITK.Resample(image_of(volume, study.geometry), image, turn, how)
        return SimpleITK.GetArrayFromImage(there)

    voxels = np.stack([moved(channel, SimpleITK.sitkLinear) for channel in study.voxels])
    mask = moved(study.mask, SimpleITK.sitkNearestNeighbor)
    return Study(study.name, voxels, study.sequences, mask, Geometry.placed(study.geometry.affine))


if __name__ == "__main__":
    main()
