"""Tools that are used with the mouse on the canvas, and what they draw over it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from app_model.types import KeyBinding

from metseg.curation.tools import Stroke
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.canvas_picture import CanvasLine, CanvasPicture, colour_table
from metseg.napari_plugin.studio.state import OnCanvas
from metseg.napari_plugin.studio.tools import Tools, Voxel
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from napari.layers import Labels

    from metseg.curation import ToolName
    from metseg.napari_plugin.studio.case_labels import CaseLabels
    from metseg.napari_plugin.studio.studio import Studio

_LEFT = 1
_AXIAL = (1, 2)
_MARK = 5.0
_RULER = "#ff4fd8"
_ESCAPE = KeyBinding.from_str("Escape")
#: Values of pixels that are added and removed, and their colours: where the mouse went, and what would change.
_ADDED, _REMOVED = 1, 2
_TRACE = colour_table({_ADDED: "#00e5ff80", _REMOVED: "#ff404080"})
_PREVIEW = colour_table({_ADDED: "#00e5ffb0", _REMOVED: "#ff4040b0"})


class Trace(CanvasPicture):
    """The path of a tool, in the shown slice."""

    def draw(self, labels: Labels, points: npt.ArrayLike, diameter: float, *, adding: bool) -> None:
        """Show a path of (y, x) in pixels of ``labels``, and nothing else, as wide as a brush is, in pixels."""
        path = np.rint(np.asarray(points, np.float64)).astype(np.int32)[:, ::-1]
        canvas = np.zeros(labels.data.shape[1:], np.uint8)
        colour, width = _ADDED if adding else _REMOVED, max(round(diameter), 1)
        cv2.polylines(canvas, [path], isClosed=False, color=colour, thickness=width)
        for end in (path[0], path[-1]):
            cv2.circle(canvas, end.tolist(), width // 2, colour, cv2.FILLED)
        self.show(labels, canvas, _TRACE)


class CanvasTool(ConnectionMixin, ABC):
    """Takes the left mouse button of the case's labels from napari, until it is closed.

    The layer stays in napari's pan-and-zoom mode, of which the wheel and the other buttons keep their meaning; Space
    held lets the left button move the camera. Choosing one of napari's own modes, or Escape, ends the tool.
    """

    def __init__(self, tools: Tools, labels: CaseLabels, trace: Trace, cursor: str) -> None:
        super().__init__()
        self.tools = tools
        self.labels = labels
        self.trace = trace
        self._drag_callback: Callable[..., Any] = self._on_drag
        labels.mode = "pan_zoom"
        labels.mouse_pan = False
        labels.cursor = cursor
        labels.brush_size = labels.brush_size  # gives the cursor that size
        labels.mouse_drag_callbacks.append(self._drag_callback)
        labels.bind_key("Space", self._move_camera, overwrite=True)
        labels.bind_key("Escape", self._deactivate, overwrite=True)
        self.follow(labels.events, ("mode",), self._deactivate)

    def close(self) -> None:
        """Give the mouse back to napari."""
        self.unfollow()
        self.labels.mouse_drag_callbacks.remove(self._drag_callback)
        for key in ("Space", "Escape"):
            self.labels.bind_key(key, None)
        if self.labels.mode == "pan_zoom":
            self.labels.mouse_pan = True
            self.labels.cursor = "standard"
        self.trace.hide()

    @abstractmethod
    def drag(self, start: np.ndarray, event: Any) -> Iterator[None]:
        """Follow the mouse from ``start`` (z, y, x) in voxels: yields at the press and at each move."""

    def place(self, event: Any) -> np.ndarray:
        """Where the mouse is, as (z, y, x) in voxels."""
        return np.asarray(self.labels.world_to_data(event.position), np.float64)

    def _on_drag(self, _: CaseLabels, event: Any) -> Iterator[None]:
        if event.button != _LEFT or self.labels.mouse_pan:
            return
        if tuple(event.dims_displayed[-2:]) != _AXIAL or len(event.dims_displayed) != 2:
            self.tools.refuse(translate("studio", "Show axial slices (2D) to use this tool."))
            return
        yield from self.drag(self.place(event), event)

    def _move_camera(self, labels: CaseLabels) -> Iterator[None]:
        labels.mouse_pan = True
        yield
        labels.mouse_pan = False

    def _deactivate(self, *_: Any) -> None:
        self.tools.state.on_canvas = OnCanvas.NONE


class GuidedBrush(CanvasTool):
    """One drag is one stroke of the guided brush: its path is shown at once, what it makes when it ends.

    It takes away if it was made to, while Shift is held, and while napari's selected label is 0.
    """

    def __init__(self, tools: Tools, labels: CaseLabels, trace: Trace, *, erases: bool) -> None:
        super().__init__(tools, labels, trace, "circle")
        self._erases = erases

    def drag(self, start: np.ndarray, event: Any) -> Iterator[None]:
        """See :class:`CanvasTool`."""
        erase = self._erases or "Shift" in event.modifiers or self.labels.selected_label == 0
        path, size = [start], self.labels.brush_size
        self.trace.draw(self.labels, [start[1:]], size, adding=not erase)
        yield
        while event.type == "mouse_move":
            path.append(self.place(event))
            self.trace.draw(self.labels, [point[1:] for point in path], size, adding=not erase)
            yield
        path.append(self.place(event))
        self.trace.hide()
        if self.tools.state.on_canvas is not OnCanvas.NONE:
            self.tools.stroke(Stroke(np.array(path), size / 2), erase=erase)


class Splitter(CanvasTool):
    """Two clicks into one lesion cut it between them; then the mouse is napari's again."""

    def __init__(self, tools: Tools, labels: CaseLabels, trace: Trace) -> None:
        super().__init__(tools, labels, trace, "cross")
        self._first: Voxel | None = None
        tools.report(translate("studio", "Click into the part that keeps the number. Escape: leave it whole."))

    def drag(self, start: np.ndarray, event: Any) -> Iterator[None]:
        """See :class:`CanvasTool`."""
        yield
        while event.type == "mouse_move":
            yield
        z, y, x = (int(at) for at in np.rint(start))
        depth, height, width = self.labels.data.shape
        inside = 0 <= z < depth and 0 <= y < height and 0 <= x < width
        if not inside or not self.labels.data[z, y, x]:
            self.tools.refuse(
                translate("studio", "There is no lesion here; click into the lesion that is to be split.")
            )
        elif self._first is None:
            self._first = z, y, x
            self.trace.draw(self.labels, [(y, x)], _MARK, adding=True)
            self.tools.report(translate("studio", "Now click into the part that is to be another lesion."))
        else:
            first, self._first = self._first, None
            self.tools.split(first, (z, y, x))
            self.tools.state.on_canvas = OnCanvas.NONE


class Ruler(CanvasTool):
    """A drag measures from its start to where the mouse is; the line stays until the next one, or another tool."""

    def __init__(self, tools: Tools, labels: CaseLabels, trace: Trace, line: CanvasLine) -> None:
        super().__init__(tools, labels, trace, "cross")
        self._line = line
        tools.report(translate("studio", "Drag from one place to another to measure between them."))

    def close(self) -> None:
        """See :class:`CanvasTool`."""
        self._line.hide()
        super().close()

    def drag(self, start: np.ndarray, event: Any) -> Iterator[None]:
        """See :class:`CanvasTool`."""
        yield
        while event.type == "mouse_move":
            end = self.place(event)
            self._line.show(self.labels, [start[1:], end[1:]])
            self.tools.measured((start[1], start[2]), (end[1], end[2]))
            yield


class CanvasTools(ConnectionMixin):
    """Gives the mouse to the tool that the state names, on the labels of the case that is open."""

    def __init__(self, studio: Studio, tools: Tools) -> None:
        super().__init__()
        self._studio = studio
        self._tools = tools
        self._held: CanvasTool | None = None
        self.trace = Trace(studio.viewer)
        self.line = CanvasLine(studio.viewer, _RULER)
        studio.add_closing(self.trace.unfollow)
        studio.add_closing(self.line.unfollow)
        self.follow(tools.state.events, ("on_canvas",), self._change)
        self.follow(studio.state.events, ("case",), self._change)

    def _change(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()
        case, which = self._studio.state.case, self._tools.state.on_canvas
        labels = None if case is None else case.labels
        if labels is None or which is OnCanvas.NONE:
            return
        if which is OnCanvas.SPLIT:
            self._held = Splitter(self._tools, labels, self.trace)
        elif which is OnCanvas.RULER:
            self._held = Ruler(self._tools, labels, self.trace, self.line)
        else:
            self._held = GuidedBrush(self._tools, labels, self.trace, erases=which is OnCanvas.ERASER)


class EdgePreview:
    """Shows what a tool would change, and keeps in mind whether the user thinks better of it."""

    def __init__(self, studio: Studio, tools: Tools) -> None:
        self._studio = studio
        self._tools = tools
        self.picture = CanvasPicture(studio.viewer)
        self._labels: CaseLabels | None = None
        self._escape: object = None
        self._wanted = False
        studio.add_closing(self.picture.unfollow)

    def begin(self, name: ToolName) -> None:
        """Show what ``name`` would change."""
        self._wanted = True
        change, case = self._tools.foreseen(name), self._studio.state.case
        if change is None or case is None:
            return
        values = np.zeros(case.shape, np.uint8)
        values[change.box] = np.where(change.before == change.after, 0, np.where(change.after > 0, _ADDED, _REMOVED))
        self._labels = case.labels
        self._escape = case.labels.keymap.get(_ESCAPE)
        case.labels.bind_key(_ESCAPE, self._cancel, overwrite=True)
        self.picture.show(case.labels, values, _PREVIEW)

    def end(self) -> bool:
        """Show nothing any more; whether the change is wanted."""
        wanted, self._wanted = self._wanted, False
        labels, self._labels = self._labels, None
        self.picture.hide()
        if labels is not None:
            labels.bind_key(_ESCAPE, self._escape, overwrite=True)
        return wanted

    def _cancel(self, _: CaseLabels) -> None:
        self._wanted = False
        self.picture.hide()
