"""Take ``docs/images/widget.png``: a real napari window in which the synthetic head has been segmented.

xvfb-run -s "-screen 0 1600x1000x24" python docs/scripts/screenshot_widget.py [--model NAME_OR_FILE]
xvfb-run -s "-screen 0 1600x1000x24" python docs/scripts/screenshot_widget.py --server https://gpu.example.org
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QSettings
from window import PLUGIN, open_widget, segment, settle, wait_until

IMAGES = Path(__file__).resolve().parents[1] / "images"


def main() -> None:
    """Open, segment, show the slice with most lesion, take the picture."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="network to use; by default the first one installed")
    options.add_argument("--server", metavar="URL", help="segment on this metseg server, and take widget_server.png")
    options.add_argument("--output", type=Path)
    options.add_argument("--size", type=int, nargs=2, default=(1440, 900), metavar=("WIDTH", "HEIGHT"))
    given = options.parse_args()
    output = given.output or IMAGES / ("widget_server.png" if given.server else "widget.png")
    settings = tempfile.TemporaryDirectory()  # what the user has chosen is neither shown nor changed
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, settings.name)

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*given.size)
    viewer.open_sample(PLUGIN, "synthetic-head")
    widget = open_widget(viewer, None if given.server else given.model)
    if given.server:
        connect(widget, given.server, given.model)
    for layer in viewer.layers:
        if layer.name.startswith("mask"):
            layer.visible = False
    outline = segment(viewer, widget)
    wait_until(lambda: not widget.scoring.busy, "scoring")
    largest = int(np.argmax((np.asarray(outline.data) > 0).sum(axis=(1, 2))))
    viewer.dims.set_current_step(0, largest)
    viewer.reset_view(margin=0.02)
    settle()
    output.parent.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(str(output), flash=False, canvas_only=False)
    print(f"{output}: slice {largest + 1}, {widget.state.summary}")
    viewer.close()


def connect(widget: Any, url: str, model: str | None) -> None:
    """Choose a server in the widget, and one of its networks if it is named."""
    place = widget.input.place
    place.url.setText(url)
    place.place.setCurrentIndex(1)
    wait_until(lambda: not widget.state.searching, "asking the server")
    widget.state.model = model or widget.state.model
    if widget.state.obstacle:
        raise SystemExit(widget.state.obstacle)


if __name__ == "__main__":
    main()
