"""The menu command that exports the selected labels layer, without the widget."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Image, Labels
from napari.qt.threading import create_worker
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from metseg.curation import export_pairs
from metseg.errors import MetsegError
from metseg.napari_plugin import exporting, outlines
from metseg.napari_plugin.background import start
from metseg.napari_plugin.dialogs import ask_folder, confirm_replacement
from metseg.napari_plugin.messages import tell, tell_error
from metseg.napari_plugin.state import Slices


def export_selected_outline(viewer: Viewer) -> None:
    """Export every slice of the selected labels layer with its image as training pairs; asks for the folder."""
    outline = viewer.layers.selection.active
    image = None if outline is None else _image_below(viewer, outline)
    if outline is None or image is None:
        tell("Select a labels layer that lies on an image, then export it.")
        return
    folder = ask_folder(None)
    if folder is None:
        return
    try:
        order = exporting.order(image, outline, Slices.ALL, folder)
        there = exporting.replaced(order)
    except MetsegError as error:
        tell_error(error)
        return
    if there and not confirm_replacement(None, there):
        return
    worker = create_worker(
        export_pairs,
        order.study,
        order.labels,
        folder,
        overwrite=bool(there),
        _connect={"returned": _tell_exported, "errored": tell_error},
        _progress={"desc": "Exporting training pairs"},
        _start_thread=False,
        _ignore_errors=True,
    )
    start(worker)


def _image_below(viewer: Viewer, outline: Labels) -> Image | None:
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    return next((image for image in images if outline in outlines.outlines_on(viewer, image)), None)


def _tell_exported(written: list[Path]) -> None:
    show_info(f"{len(written) // 2} slices with masks exported to {written[0].parent}")
