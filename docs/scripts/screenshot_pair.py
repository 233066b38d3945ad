"""Take ``docs/images/pair.png``: FLAIR and T1c of one head, two NIfTI files on grids of their own, in three planes.

xvfb-run -s "-screen 0 1600x1000x24" python docs/scripts/screenshot_pair.py [--output FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import napari
import nibabel
import numpy as np
from window import PLUGIN, open_widget, settle

from metseg.study import Geometry, Sequence
from metseg.study.resampling import resample
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
#: Voxels of 1.1 x 1.1 x 3.5 mm, as radiologists look at them, around the origin of the patient.
AFFINE = np.array([[-1.1, 0, 0, 105], [0, -1.1, 0, 105], [0, 0, 3.5, -70], [0, 0, 0, 1]])
#: Where the crosshair stands, as (z, y, x) in voxels: in a lesion.
LESION = (19, 138, 115)


def main() -> None:
    """Write the files, open both, show the table of sequences and the planes, take the picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=IMAGES / "pair.png")
    options.add_argument("--size", type=int, nargs=2, default=(1600, 1000), metavar=("WIDTH", "HEIGHT"))
    given = options.parse_args()
    head = synthetic_study(seed=3, slices=40, size=192)
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*given.size)
    with tempfile.TemporaryDirectory() as folder:
        for name, sequence in (("t1c", Sequence.POST), ("flair", Sequence.FLAIR)):
            voxels, geometry = head.voxels[head.channel(sequence)], Geometry.placed(AFFINE)
            if sequence is Sequence.POST:
                finer = Geometry.placed(AFFINE @ np.diag([1.4, 1.4, 0.5, 1]))
                voxels, geometry = resample(voxels, geometry, finer, (79, 137, 137)), finer
            path = Path(folder, f"P1_{name}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), geometry.affine), path)
            viewer.open(str(path), plugin=PLUGIN)
        widget = open_widget(viewer, None)
        widget.state.image = viewer.layers[-1]
        widget.input.planes.click()
        viewer.dims.set_point((0, 1, 2), viewer.layers[-1].data_to_world(LESION))
        settle(5)
        given.output.parent.mkdir(parents=True, exist_ok=True)
        viewer.window.screenshot(str(given.output), flash=False, canvas_only=False)
    rows = [f"{row.title}: {row.sequence or 'not used'}" for row in widget.state.sequence_rows]
    print(f"{given.output}: {'; '.join(rows)}")
    viewer.close()


if __name__ == "__main__":
    main()
