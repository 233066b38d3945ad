"""A napari window in which the sample is being segmented by the plugin's own widget."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari import Viewer

    from metseg.lesions import Target

_PLUGIN = "napari-metseg"
_LOOK_AGAIN_MS = 100


def open_window(folder: Path | None, model: str, device: str, targets: Collection[Target] = ()) -> Viewer:
    """Open napari with the plugin's widget on a study, and press Run as soon as that is possible.

    Parameters
    ----------
    folder : Path or None
        A patient's folder; the plugin's synthetic head if there is none.
    model : str
        ``auto``, the name of a network, or its file or folder.
    device : str
        See :class:`metseg.inference.Segmenter`.
    targets : collection of Target
        What ``auto`` shall outline.
    """
    import napari

    viewer = napari.Viewer(title="metseg demo")
    _, widget = viewer.window.add_plugin_dock_widget(_PLUGIN, "Segment lesions")
    if folder is None:
        viewer.open_sample(_PLUGIN, "synthetic-head")
    else:
        viewer.open(str(folder), plugin=_PLUGIN)
    _run_when_ready(widget, model, device, targets)
    return viewer


def _run_when_ready(widget: Any, model: str, device: str, targets: Collection[Target]) -> None:
    """Wait, without holding up the window, until the widget knows its networks; then choose one and run."""
    from qtpy.QtCore import QTimer

    from metseg.lesions import TargetChoice

    timer = QTimer(widget)
    timer.setInterval(_LOOK_AGAIN_MS)

    def choose() -> None:
        state = widget.state
        if state.searching or state.image is None:
            return
        state.device = device
        state.target = next((choice for choice in TargetChoice if choice.targets == tuple(targets)), None)
        if model == DEFAULT_MODEL or any(choice.key == model for choice in state.models):
            state.model = model
        else:
            widget.controller.add_model_file(model)
        timer.timeout.disconnect(choose)
        timer.timeout.connect(run)

    def run() -> None:
        if widget.state.opening:
            return
        timer.stop()
        if not widget.state.obstacle:
            widget.controller.run()

    timer.timeout.connect(choose)
    timer.start()
