"""Axial, coronal and sagittal planes beside each other, as napari-orthogonal-views shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from metseg.errors import MissingExtraError
from metseg.napari_plugin.messages import tell_error
from metseg.napari_plugin.patient_sides import PatientSides, Sides, sides_of
from metseg.napari_plugin.state import ConnectionMixin

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: Of axial slices as radiologists look at them, the lowest first: what is taken where the orientation is not known.
_USUAL: Sides = ("S", "P", "L")
#: Part of the width and of the height that the two further planes get.
_SHARE = (0.42, 0.4)
_MARGIN = 0.05
#: Of napari-orthogonal-views; and the key that it has beside the studio, whose T goes to the next lesion.
_MOVE_POINT, _MOVE_POINT_KEY = "napari:move_point", "Shift+P"


def toggle_planes(viewer: Viewer) -> None:
    """Show or hide the planes; the menu command. Says which extra to install if the plugin is missing."""
    try:
        planes_of(viewer).toggle()
    except MissingExtraError as error:
        tell_error(error)


def planes_of(viewer: Any) -> Planes:
    """The planes of a viewer with a window.

    Raises
    ------
    MissingExtraError
        If napari-orthogonal-views is not installed.
    """
    from napari.utils.action_manager import action_manager

    try:
        from napari_orthogonal_views.ortho_view_manager import _get_manager
    except ImportError as error:
        raise MissingExtraError("napari-orthogonal-views", "napari") from error
    _mend()
    manager = _get_manager(getattr(viewer, "__wrapped__", viewer))  # plugins are given a proxy
    if not hasattr(manager, "metseg_planes"):
        manager.metseg_planes = Planes(manager)
        action_manager.unbind_shortcut(_MOVE_POINT)  # each manager binds T once more, for all viewers
        action_manager.bind_shortcut(_MOVE_POINT, _MOVE_POINT_KEY)
    planes: Planes = manager.metseg_planes
    return planes


class Planes(ConnectionMixin):
    """Shows the planes as radiologists look at them, with crosshair and the patient's sides.

    ``manager``, of napari-orthogonal-views, has planes that share arrays and undo history with the viewer's layers.
    """

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self._manager = manager
        self._viewer = manager.viewer
        self.sides: list[PatientSides] = []
        manager.main_controls_widget.show_orth_views.connect(self._on_shown)

    @property
    def shown(self) -> bool:
        """Whether they are on the screen."""
        return bool(self._manager.is_shown())

    @property
    def models(self) -> tuple[Any, ...]:
        """The viewers of the plane to the right and of the one below, while they are shown."""
        if not self.shown:
            return ()
        return tuple(widget.vm_container.viewer_model for widget in self._widgets)

    @property
    def _widgets(self) -> tuple[Any, Any]:
        return self._manager.right_widget, self._manager.bottom_widget

    def toggle(self) -> None:
        """Show them, or hide them."""
        self._manager.main_controls_widget.show_checkbox.setChecked(not self.shown)

    def _on_shown(self, shown: bool) -> None:
        self.unfollow()
        for sides in self.sides:
            sides.close()
        self.sides.clear()
        if not shown:
            return
        self._manager.set_axes(False)
        self._manager.set_cross_hairs(True)
        self._manager.set_splitter_sizes(*_SHARE)
        self.follow(self._viewer.dims.events, ("order",), self._arrange)
        self._arrange()
        self._manager.update_dims_order()
        self.sides = [PatientSides(model, self._viewer.layers) for model in self.models]
        QTimer.singleShot(0, self._fit)  # once the planes have their size

    def _arrange(self) -> None:
        """Choose rows, columns and directions of each plane; the plugin then takes them."""
        order = self._viewer.dims.order
        if len(order) < 3:
            return
        sides = dict(zip(range(len(order) - 3, len(order)), sides_of(self._viewer.layers) or _USUAL, strict=True))
        for widget, through in zip(self._widgets, (-1, -2), strict=True):
            first, second = (place for place in (-1, -2, -3) if place != through)
            rows, columns = sorted((first, second), key=lambda place: "SIAPLR".find(sides.get(order[place], "?")))
            widget.order = (through, rows, columns)
            widget.sync_axes = [axis for axis, place in ((1, rows), (2, columns)) if place == axis - 3]
            widget.vm_container.viewer_model.scene.camera.orientation2d = (
                "down" if sides.get(order[rows]) in ("I", "P") else "up",
                "right" if sides.get(order[columns]) in ("L", "P") else "left",
            )

    def _fit(self) -> None:
        for model in (self._viewer, *self.models):
            model.reset_view(margin=_MARGIN)


def _mend() -> None:
    """Have napari-orthogonal-views 0.5.0 count from where an image begins, which is 0 to it.

    Images that lie in a patient begin elsewhere: the crosshair stands beside its place, and the camera goes astray.
    """
    from napari_orthogonal_views import ortho_view_manager, ortho_view_widget
    from napari_orthogonal_views.cross_hair_overlay import CrosshairOverlay, VispyCrosshairOverlay

    class Crosshair(VispyCrosshairOverlay):  # type: ignore[misc]  # has no types
        def _move_crosshairs(self) -> None:
            dims = self.viewer.dims
            hidden = list(dims.not_displayed[::-1]) or [0]
            self.node.set_position(np.array(dims.point)[[*dims.displayed[::-1], hidden[0]][:3]])

    def centre(model: Any, _: Any) -> tuple[float, float]:
        """Centre (y, x) of the view from which the shown point is seen."""
        camera, seen = model.scene.camera, model.canvas.viewbox_size(model.layers)
        y, x = (
            here if abs(point - here) < size / camera.zoom / 2 else point
            for here, point, size in zip(
                camera.center[-2:], (model.dims.point[axis] for axis in model.dims.order[-2:]), seen, strict=True
            )
        )
        return y, x

    ortho_view_manager.overlay_to_visual[CrosshairOverlay] = Crosshair
    ortho_view_widget.check_center = centre
