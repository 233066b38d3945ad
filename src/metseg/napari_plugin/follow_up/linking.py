"""Two viewers that show the same place: slice, zoom and cursor of one are those of the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.napari_plugin.layers import AXES, KEY
from metseg.napari_plugin.state import ConnectionMixin

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

_AXES = len(AXES)
_CAMERA = ("center", "zoom", "angles", "orientation")
_CURSOR_PIXELS = 22


class LinkedViewers(ConnectionMixin):
    """Keeps slices, plane, camera and cursor of two viewers in step, whichever the user moves.

    Parameters
    ----------
    first, second : ViewerModel
        Whose last three axes are the same, in the same unit; the second takes what the first shows now.
    units : tuple of str or unit
        Of these axes.
    """

    def __init__(self, first: ViewerModel, second: ViewerModel, units: Any) -> None:
        super().__init__()
        self._copying = False
        self._cursors = {id(viewer): _cursor(units) for viewer in (first, second)}
        for viewer in (first, second):
            active = viewer.layers.selection.active
            viewer.add_layer(self.cursor_in(viewer))
            viewer.layers.selection.active = active
        for source, target in ((first, second), (second, first)):
            self.follow(source.dims.events, ("point", "order", "ndisplay"), partial(self._copy_dims, source, target))
            self.follow(source.scene.camera.events, _CAMERA, partial(self._copy_camera, source, target))
            self.follow(source.cursor.events, ("position",), partial(self._show_cursor, source, target))
            self.follow(source.events, ("mouse_over_canvas",), partial(self._hide_cursor, source, target))
        self._copy_dims(first, second)
        self._copy_camera(first, second)

    def cursor_in(self, viewer: ViewerModel) -> Points:
        """What shows in a viewer where the mouse is in the other one."""
        return self._cursors[id(viewer)]

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

    def _show_cursor(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        self._hide_cursor(target, source)
        position = source.cursor.position[-_AXES:]
        if len(position) == _AXES and source.dims.ndisplay == 2:
            cursor = self.cursor_in(target)
            cursor.data = np.array([position])
            cursor.visible = True

    def _hide_cursor(self, source: ViewerModel, target: ViewerModel, _: object = None) -> None:
        """Hide what shows in the target where the mouse is in the source, unless it is there."""
        if not source.mouse_over_canvas and self.cursor_in(target).visible:
            self.cursor_in(target).visible = False


def _cursor(units: Any) -> Points:
    from napari.layers import Points

    return Points(
        np.zeros((1, _AXES)),
        name="cursor of the other view",
        symbol="cross",
        size=1,
        canvas_size_limits=(_CURSOR_PIXELS, _CURSOR_PIXELS),
        face_color="white",
        border_color="black",
        opacity=0.8,
        units=units,
        axis_labels=AXES,
        visible=False,
        metadata={KEY: "cursor"},
    )
