"""Keep napari from drawing a box that it has forgotten about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel


def without_box(viewer: ViewerModel) -> None:
    """Take the empty box away that lies behind the circle of napari's brush.

    In napari 0.9.2 a layer that is added while one is painted on puts that box into the scene, and nothing takes it out
    again. When all layers are removed later, drawing it ends the process (in Mesa's ``glDrawArrays``). The circle
    itself needs no box.
    """
    from napari.components.overlays import BrushCircleOverlay

    for overlay in viewer.canvas.overlays.values():
        if isinstance(overlay, BrushCircleOverlay):
            overlay.box = False
