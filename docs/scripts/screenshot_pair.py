"""Take ``docs/images/pair.png``: a real napari window with FLAIR and T1c of one head, two NIfTI files.

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

from metseg.study import Sequence
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"


def main() -> None:
    """Write the files, open both, show the table of sequences, take the picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=IMAGES / "pair.png")
    options.add_argument("--size", type=int, nargs=2, default=(1440, 900), metavar=("WIDTH", "HEIGHT"))
    given = options.parse_args()
    head = synthetic_study(seed=3, slices=20, size=192)
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*given.size)
    with tempfile.TemporaryDirectory() as folder:
        for name, sequence in (("t1c", Sequence.POST), ("flair", Sequence.FLAIR)):
            voxels = head.voxels[head.channel(sequence)].transpose(2, 1, 0)
            path = Path(folder, f"P1_{name}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(voxels, np.diag([-1.1, -1.1, 6.0, 1.0])), path)
            viewer.open(str(path), plugin=PLUGIN)
        widget = open_widget(viewer, None)
        widget.state.image = viewer.layers[-1]
        viewer.dims.set_current_step(0, 10)
        viewer.reset_view(margin=0.02)
        settle()
        given.output.parent.mkdir(parents=True, exist_ok=True)
        viewer.window.screenshot(str(given.output), flash=False, canvas_only=False)
    rows = [f"{row.title}: {row.sequence or 'not used'}" for row in widget.state.sequence_rows]
    print(f"{given.output}: {'; '.join(rows)}")
    viewer.close()


if __name__ == "__main__":
    main()
