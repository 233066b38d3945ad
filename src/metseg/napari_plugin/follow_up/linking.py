"""Two viewers that show the same place: slice, zoom and cursor of one are those of the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from metseg.napari_plugin.layers import AXES
from metseg.napari_plugin.state import ConnectionMixin

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.components.overlays import ZoomOverlay

_AXES = len(AXES)
_CAMERA = ("center", "zoom", "angles", "orientation")
_CURSOR = "metseg_cursor"
#: Half the side of the square that shows where the cursor is in the other viewer, in pixels of the canvas.
_HALF = 8.0


class LinkedViewers(ConnectionMixin):
    """Keeps slices, plane, camera and cursor of two viewers in step, whichever the user moves.

    Parameters
    ----------
    first, second : ViewerModel
        Whose last three axes are the same, in the same unit; the second takes what the first shows now.
    """

    def __init__(self, first: ViewerModel, second: ViewerModel) -> None:
        from napari.components.overlays import ZoomOverlay

        super().__init__()
        self._copying = False
        self._viewers = first, second
        for viewer in self._viewers:
            viewer.canvas.overlays[_CURSOR] = ZoomOverlay(box=False)
        for source, target in ((first, second), (second, first)):
            self.follow(source.dims.events, ("point", "order", "ndisplay"), partial(self._copy_dims, source, target))
            self.follow(source.scene.camera.events, _CAMERA, partial(self._copy_camera, source, target))
            self.follow(source.cursor.events, ("position",), partial(self._show_cursor, source, target))
            self.follow(source.events, ("mouse_over_canvas",), partial(self._hide_cursor, source, target))
        self._copy_dims(first, second)
        self._copy_camera(first, second)

    def close(self) -> None:
        """Stop, and take the cursors out of both viewers."""
        self.unfollow()
        for viewer in self._viewers:
            viewer.canvas.overlays.pop(_CURSOR, None)

    @staticmethod
    def cursor_in(viewer: ViewerModel) -> ZoomOverlay:
        """The square that shows in a viewer where the mouse is in the other one: on the canvas, and no layer."""
        cursor: ZoomOverlay = viewer.canvas.overlays[_CURSOR]
        return cursor

    def _copy_dims(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        if self._copying or min(source.dims.ndim, target.dims.ndim) < _AXES:  # while a viewer closes it has none
            return
        self._copying = True
        try:
            target.dims.ndisplay = source.dims.ndisplay
            if source.dims.ndim == target.dims.ndim:
                target.dims.order = source.dims.order
            here, there = source.dims.ndim - _AXES, target.dims.ndim - _AXES
            target.dims.set_point(range(there, target.dims.ndim), source.dims.point[here:])
        finally:
            self._copying = False

    def _copy_camera(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        if self._copying:
            return
        self._copying = True
        try:
            for name in _CAMERA:
                setattr(target.scene.camera, name, getattr(source.scene.camera, name))
        finally:
            self._copying = False
        for one, other in (self._viewers, self._viewers[::-1]):
            if self.cursor_in(other).visible:
                self._show_cursor(one, other)

    def _show_cursor(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        self._hide_cursor(target, source)
        if len(source.cursor.position) < _AXES or source.dims.ndisplay != 2 or target.canvas.grid.enabled:
            return
        camera, (height, width) = target.scene.camera, target.canvas.size
        down, right = (source.cursor.position[axis] for axis in source.dims.displayed)
        signs = (-1 if towards in ("up", "left") else 1 for towards in camera.orientation2d)
        y, x = (
            size / 2 + sign * (place - middle) * camera.zoom
            for size, sign, place, middle in zip((height, width), signs, (down, right), camera.center[-2:], strict=True)
        )
        cursor = self.cursor_in(target)
        cursor.position = (y - _HALF, x - _HALF), (y + _HALF, x + _HALF)
        cursor.visible = True

    def _hide_cursor(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        """Hide what shows in the target where the mouse is in the source, unless it is there."""
        if not source.mouse_over_canvas and self.cursor_in(target).visible:
            self.cursor_in(target).visible = False
