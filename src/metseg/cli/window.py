"""A napari window in which the sample is being segmented by the plugin's own widget."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from metseg import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari import Viewer

    from metseg.lesions import Target
    from metseg.study import Study

_PLUGIN = "napari-metseg"
_LOOK_AGAIN_MS = 100


def open_window(studies: Mapping[Target, Study], model: str, device: str, targets: Collection[Target] = ()) -> Viewer:
    """Open napari with the plugin's widget on a study, and press Run as soon as that is possible.

    Parameters
    ----------
    studies : mapping of Target to Study
        The study with its known mask of each target.
    model : str
        ``auto``, the name of a network, or its file or folder.
    device : str
        See :class:`metseg.inference.Segmenter`.
    targets : collection of Target
        What ``auto`` shall outline.
    """
    import napari
    from napari.layers import Layer

    from metseg.napari_plugin.layers import target_layers

    viewer = napari.Viewer(title="metseg demo")
    _, widget = viewer.window.add_plugin_dock_widget(_PLUGIN, "Segment lesions")
    for data in target_layers(studies):
        viewer.add_layer(Layer.create(*data))
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
