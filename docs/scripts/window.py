"""What the scripts beside this one share: a napari window with the plugin's widget, driven without a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

PLUGIN = "napari-metseg"


def wait_until(condition: Callable[[], object], what: str, seconds: float = 900) -> None:
    """Let Qt work until ``condition`` holds.

    Raises
    ------
    TimeoutError
        If it does not within ``seconds``.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not done within {seconds:.0f} s")
        QApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float = 1.0) -> None:
    """Let Qt finish drawing."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "drawing", seconds + 60)


def open_widget(viewer: napari.Viewer, model: str | None) -> Any:
    """Open the segmentation widget and choose a network by name or file; the first installed one by default."""
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment lesions")
    wait_until(lambda: not widget.state.searching, "looking for networks")
    if model in {choice.key for choice in widget.state.models}:
        widget.state.model = model
    elif model is not None:
        widget.controller.add_model_file(model)
    if widget.state.obstacle:
        raise SystemExit(widget.state.obstacle)
    return widget


def segment(viewer: napari.Viewer, widget: Any) -> Any:
    """Press Run, wait, and return the outline's layer."""
    widget.run.run.click()
    wait_until(lambda: not widget.controller.busy, "segmenting")
    outline = widget.state.outline
    if outline is None or outline != viewer.layers.selection.active:
        raise SystemExit("\n".join(widget.state.notices) or "the network made no outline")
    return outline
