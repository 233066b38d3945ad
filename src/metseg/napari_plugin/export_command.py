"""The menu command that exports the selected labels layer, without the widget."""

from __future__ import annotations

from dataclasses import replace

from napari.layers import Image, Labels
from napari.qt.threading import create_worker
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from metseg.errors import MetsegError
from metseg.napari_plugin import exporting, outlines
from metseg.napari_plugin.background import start
from metseg.napari_plugin.dialogs import ask_folder, confirm_replacement
from metseg.napari_plugin.messages import tell, tell_error


def export_selected_outline(viewer: Viewer) -> None:
    """Export the selected labels layer with its image as training pairs; asks for the folder.

    Of a layer that was edited only the edited and confirmed slices, of any other all.
    """
    outline = viewer.layers.selection.active
    image = None if outline is None else _image_below(viewer, outline)
    if outline is None or image is None:
        tell("Select a labels layer that lies on an image, then export it.")
        return
    folder = ask_folder(None, f"Export {exporting.described(outline)} to")
    if folder is None:
        return
    try:
        order = exporting.order(image, outline, None, folder)
        there = exporting.replaced(order)
    except MetsegError as error:
        tell_error(error)
        return
    if there and not confirm_replacement(None, there, order.described):
        return
    worker = create_worker(
        exporting.write,
        replace(order, overwrite=bool(there)),
        _connect={"returned": show_info, "errored": tell_error},
        _progress={"desc": f"Exporting {outline.name}"},
        _start_thread=False,
        _ignore_errors=True,
    )
    start(worker)


def _image_below(viewer: Viewer, outline: Labels) -> Image | None:
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    return next((image for image in images if outline in outlines.outlines_on(viewer, image)), None)
