"""What is drawn on the canvas and is no layer: pictures and lines on the grid of a labels layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import QApplication

from metseg.napari_plugin.navigation import world_factors
from metseg.napari_plugin.state import ConnectionMixin

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from napari.qt import QtViewer

    Values = npt.NDArray[np.uint8]

#: Above all layers, below what napari draws over them.
_ORDER = 10**5


class CanvasVisual(ConnectionMixin, ABC):
    """Draws something over the layers of a viewer, in 2D, as long as it is shown.

    Nobody can select, save or delete it, for it is no layer: it is drawn by vispy in the scene of napari's public
    ``QtViewer``. In a viewer without a window, nothing is drawn.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._window: ref[QtViewer] | None = None
        self._labels: Labels | None = None
        self._visual: Any = None
        self.follow(viewer.dims.events, ("current_step", "ndisplay", "order"), self.redraw)

    @property
    def drawn(self) -> bool:
        """Whether it is on the canvas now."""
        return self._visual is not None and bool(self._visual.visible)

    def hide(self) -> None:
        """Show nothing."""
        self._labels = None
        if self._visual is not None:
            self._visual.parent = None
            self._visual = None

    def redraw(self) -> None:
        """Draw what belongs to the slice that the viewer shows."""
        place = None if self._labels is None else self._place(self._labels)
        shown = None if place is None else self._content()
        if place is None or shown is None:
            if self._visual is not None:
                self._visual.visible = False
            return
        if self._visual is None:
            self._visual = self._made()
            self._visual.order = _ORDER
            self._visual.set_gl_state("translucent", depth_test=False)
        self._visual.set_data(shown)
        if self._visual.parent is not place.parent:
            self._visual.parent = place.parent
        self._visual.transform = place.transform
        self._visual.visible = True
        self._visual.update()

    @abstractmethod
    def _made(self) -> Any:
        """A visual of vispy, empty."""

    @abstractmethod
    def _content(self) -> npt.NDArray[Any] | None:
        """What the visual draws now; ``None`` for nothing."""

    def _displayed(self) -> tuple[int, int] | None:
        """The axes of the labels that are on the canvas, from top to bottom and from left to right; ``None`` in 3D."""
        dims, labels = self._viewer.dims, self._labels
        if dims.ndisplay != 2 or labels is None:
            return None
        first, second = (axis - dims.ndim + labels.ndim for axis in dims.displayed)
        return (first, second) if min(first, second) >= 0 else None

    def _place(self, labels: Labels) -> Any:
        """The node of vispy's scene that draws the labels: ours lies where it lies."""
        window = None if self._window is None else self._window()
        if window is None:
            window = _window_of(self._viewer)
            self._window = None if window is None else ref(window)
        visual = None if window is None else window.canvas.layer_to_visual.get(labels)
        return None if visual is None else visual.node


class CanvasPicture(CanvasVisual):
    """Numbers in colours.

    Attributes
    ----------
    values : ndarray of uint8, shape (z, y, x) or (y, x), or None
        What is shown; ``None`` if nothing is.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._colours = np.zeros((256, 4), np.uint8)
        self.values: Values | None = None

    def show(self, labels: Labels, values: Values, colours: Values) -> None:
        """Show ``values`` where ``labels`` lie.

        Parameters
        ----------
        labels : Labels
            A layer in the viewer, of shape (z, y, x).
        values : ndarray of uint8, shape (z, y, x), or (y, x) to be the same in each slice
        colours : ndarray of uint8, shape (256, 4)
            Red, green, blue and opacity of each value.
        """
        self._labels, self.values, self._colours = labels, values, colours
        self.redraw()

    def hide(self) -> None:
        """Show nothing."""
        self.values = None
        super().hide()

    def _made(self) -> Any:
        from vispy.scene.visuals import Image

        return Image(np.zeros((1, 1, 4), np.uint8), interpolation="nearest", method="auto")

    def _content(self) -> Values | None:
        plane = self._plane()
        return None if plane is None else self._colours[plane]

    def _plane(self) -> Values | None:
        """The shown part of the values, in the order of the displayed axes."""
        axes, labels, values = self._displayed(), self._labels, self.values
        if axes is None or labels is None or values is None:
            return None
        if values.ndim == 2 and set(axes) != {1, 2}:
            return None
        if values.ndim == 3:
            (through,) = {0, 1, 2} - set(axes)
            world = np.array(self._viewer.dims.point[-labels.ndim :]) / world_factors(self._viewer, labels)
            at = round(float(labels.world_to_data(world)[through]))
            if not 0 <= at < values.shape[through]:
                return None
            values = np.take(values, [at], axis=through).squeeze(through)
        return np.ascontiguousarray(values if axes[0] < axes[1] else values.T)


class CanvasLine(CanvasVisual):
    """A line through places of one slice, in a colour like ``#rrggbb``."""

    _WIDTH = 2.0

    def __init__(self, viewer: ViewerModel, colour: str) -> None:
        super().__init__(viewer)
        self._colour = colour
        self._points = np.zeros((0, 2))

    def show(self, labels: Labels, points: npt.ArrayLike) -> None:
        """Show a line through ``points``, (y, x) in pixels of ``labels``, in axial slices."""
        self._labels, self._points = labels, np.asarray(points, np.float64)
        self.redraw()

    def _made(self) -> Any:
        from vispy.scene.visuals import Line

        return Line(np.zeros((2, 2)), color=self._colour, width=self._WIDTH, method="agg", antialias=True)

    def _content(self) -> npt.NDArray[np.float64] | None:
        if self._displayed() != (1, 2) or len(self._points) < 2:
            return None
        return np.ascontiguousarray(self._points[:, ::-1] + 0.5)  # vispy counts from the pixels' corners


def colour_table(colours: dict[int, str]) -> npt.NDArray[np.uint8]:
    """Colours for :meth:`CanvasPicture.show`, shape (256, 4), of codes like ``#rrggbb`` and ``#rrggbbaa``."""
    table = np.zeros((256, 4), np.uint8)
    for value, code in colours.items():
        table[value] = list(bytes.fromhex(f"{code[1:]}ff"[:8]))
    return table


def _window_of(viewer: ViewerModel) -> QtViewer | None:
    """The part of napari's window that shows a viewer, if it has one."""
    from napari.qt import QtViewer

    model = getattr(viewer, "__wrapped__", viewer)  # plugins are given a proxy
    app = QApplication.instance()
    widgets = app.allWidgets() if isinstance(app, QApplication) else []
    return next((one for one in widgets if isinstance(one, QtViewer) and one.viewer is model), None)
