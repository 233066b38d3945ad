"""The correction tools as buttons: which one has the mouse, what the last one did, and their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from metseg.curation import ToolName
from metseg.napari_plugin.controls import Choice, Hint, Option, Part
from metseg.napari_plugin.studio.canvas_tools import CanvasTools
from metseg.napari_plugin.studio.edge_preview import EdgePreview
from metseg.napari_plugin.studio.intensity_range import IntensityRange
from metseg.napari_plugin.studio.panel import Panel
from metseg.napari_plugin.studio.renumbering import ask_number
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.studio.tools import Edge, OnCanvas, Tools, ToolState

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

_MOST_NEIGHBOURS = 5
_ARROW = 34
_DELETE = "Delete"

_BRUSH = (
    "Draw once along a lesion: it is outlined along the network's contour and the image's edge. "
    "With Shift held, what you draw over is taken away. The brush is as thick as napari's ([ and ])."
)
_ERASER = "Draw once over what is no lesion: it is taken away up to where the rest looks different."
_SPLIT = "Click into both parts of a lesion: it is cut at the narrowest place between them."
_RULER = "Drag on the canvas: how far it is from there to here, in mm where the voxel size is known."
_SEPARATE = "Every piece of the selected lesion that hangs together gets its own number."
_GROW = "Move the selected lesion's edge outwards, as far as chosen beside it."
_SHRINK = "Move the selected lesion's edge inwards, as far as chosen beside it."
_EDGE = (
    "How far Grow and Shrink move the edge of the selected lesion: by a pixel in this slice or in all ({pixel}), "
    "or to the network's next contour."
)
_INTERPOLATE = "Redraw the selected lesion between the nearest slices before and after this one that you drew."
_MERGE = "The lesions selected in the table get the number of the current one."
_RENUMBER = "Give the selected lesion another number."
_NEIGHBOURS = "In how many slices above and below a stroke outlines the lesion too, as long as it looks alike there."
_REDRAW = "What the lesion has beyond the new outline, in that slice, is taken away."


class ToolPanel(Panel):
    """A button for every tool.

    Parameters
    ----------
    studio : Studio
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__("Correct", studio)
        self.tools = tools = Tools.of(studio)
        self.canvas = CanvasTools(studio, tools)
        studio.add_closing(self.canvas.unfollow)
        self.brush = self._toggle("Guided brush", "G", OnCanvas.BRUSH, _BRUSH)
        self.eraser = self._toggle("Guided eraser", "R", OnCanvas.ERASER, _ERASER)
        self.split = self._toggle("Split", "S", OnCanvas.SPLIT, _SPLIT)
        self.preview = EdgePreview(studio, tools)
        self.ruler = self._toggle("Measure", "Shift-M", OnCanvas.RULER, _RULER)
        self.grow = self._held_button("Grow", "U", ToolName.GROW, tools.grow, _GROW)
        self.shrink = self._held_button("Shrink", "D", ToolName.SHRINK, tools.shrink, _SHRINK)
        self.interpolate = self._button("Interpolate", "I", tools.interpolate, _INTERPOLATE)
        self.separate = self._button("Separate", "", tools.separate, _SEPARATE)
        self.merge = self._button("Merge", "", tools.merge, _MERGE)
        self.delete = self._button("Delete", _DELETE, tools.delete, "Remove the lesions selected in the table.")
        self.renumber = self._button(
            "Renumber …", "", lambda: ask_number(self, tools), "Give the selected lesion another number."
        )
        self.undo = self._button("↶", "", tools.undo, "Take the last change back (Ctrl+Z).")
        self.redo = self._button("↷", "", tools.redo, "Make it again (Ctrl+Shift+Z).")
        for one, name in ((self.undo, "Undo"), (self.redo, "Redo")):
            one.setAccessibleName(name)
        self.redraw = QCheckBox("Redraw")
        self.redraw.setToolTip(_REDRAW)
        self.redraw.toggled.connect(lambda on: setattr(tools.state, "redraw", on))
        self.neighbours = QSpinBox()
        self.neighbours.setRange(0, _MOST_NEIGHBOURS)
        self.neighbours.setSpecialValueText("this slice")
        self.neighbours.setPrefix("± ")
        self.neighbours.setSuffix(" slices")
        self.neighbours.setToolTip(_NEIGHBOURS)
        self.neighbours.valueChanged.connect(lambda value: setattr(tools.state, "neighbours", value))
        self.only = IntensityRange(self.state, tools.state)
        studio.add_shortcut(Shortcut("Shift-Right", "copy the lesion to the next slice", lambda: tools.copy(1)))
        studio.add_shortcut(Shortcut("Shift-Left", "copy the lesion to the slice before", lambda: tools.copy(-1)))
        self.edge = Choice(lambda edge: setattr(tools.state, "edge", edge))
        self._lay_out()
        self.follow(tools.state.events, ("on_canvas", "redraw", "neighbours", "edge"), self._show)
        self.follow(studio.state.events, ("case",), self._show)
        self._show()

    def _toggle(self, title: str, key: str, which: OnCanvas, tip: str) -> QPushButton:
        def switch(on: bool) -> None:
            self.tools.state.on_canvas = which if on else OnCanvas.NONE

        button = self._pressable(title, key, tip)
        button.setCheckable(True)
        button.toggled.connect(switch)
        return button

    def _button(self, title: str, key: str, act: Callable[[], object], tip: str) -> QPushButton:
        button = self._pressable(title, key, tip)
        button.clicked.connect(lambda: act())
        return button

    def _held_button(self, title: str, key: str, name: ToolName, act: Callable[[], object], tip: str) -> QPushButton:
        """A button whose key shows what would change while it is held, and does it when it is let go."""
        button = self._plain(title, tip + " Held, the key shows what would change; Escape leaves it.")
        button.clicked.connect(lambda: act())
        what = title.lower()

        def released() -> None:
            if self.preview.end():
                button.click()

        self.studio.add_shortcut(Shortcut(key, what, lambda: self.preview.begin(name), released))
        self.studio.show_key(button, title, what)
        return button

    def _pressable(self, title: str, key: str, tip: str) -> QPushButton:
        button = self._plain(title, tip)
        if key:
            name = title.lower()
            self.studio.add_shortcut(Shortcut(key, name, lambda: self._press(button, key)))
            self.studio.show_key(button, title, name)
        return button

    def _plain(self, title: str, tip: str) -> QPushButton:
        button = QPushButton(title)
        button.setObjectName("tool")
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the canvas
        return button

    def _press(self, button: QPushButton, key: str) -> None:
        """Press a button by its key; what is deleted must be seen selected in the table."""
        if key != _DELETE or self.studio.in_review():
            button.click()

    def _lay_out(self) -> None:
        first = _row(self.brush, self.eraser)
        for one in (self.undo, self.redo):
            one.setFixedWidth(_ARROW)
            _append(first, one)
        self.add_wide(first)
        options = QWidget()
        line = QHBoxLayout(options)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.neighbours, 1)
        line.addWidget(self.redraw)
        self.add_row("Brush outlines", options)
        third = QWidget()
        line = QHBoxLayout(third)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.only, 1)
        line.addWidget(self.ruler)
        self.add_wide(third)
        self.add_wide(_row(self.grow, self.shrink, self.edge))
        self.add_wide(_row(self.interpolate, self.split, self.separate))
        self.add_wide(_row(self.merge, self.renumber, self.delete))

    def _show(self) -> None:
        state = self.tools.state
        for button, which in (
            (self.brush, OnCanvas.BRUSH),
            (self.eraser, OnCanvas.ERASER),
            (self.split, OnCanvas.SPLIT),
            (self.ruler, OnCanvas.RULER),
        ):
            with QSignalBlocker(button):
                button.setChecked(state.on_canvas is which)
        with QSignalBlocker(self.redraw), QSignalBlocker(self.neighbours):
            self.redraw.setChecked(state.redraw)
            self.neighbours.setValue(state.neighbours)
        self._show_edge()
        for child in self.findChildren(QPushButton):
            child.setEnabled(self.state.editable)
        self.ruler.setEnabled(self.state.case is not None)

    def _show_edge(self) -> None:
        case = self.state.case
        seen = case is not None and case.prediction is not None
        tip = (
            "The contour that adds or removes at least 15 % of the lesion."
            if seen
            else "No network has seen this case."
        )
        options = [
            Option(edge, edge, tip if edge is Edge.CONTOUR else "", seen or edge is not Edge.CONTOUR) for edge in Edge
        ]
        self.edge.offer(options, self.tools.state.edge)
        self.edge.setToolTip(_EDGE.format(pixel=_pixel(None if case is None else case.study.geometry.spacing)))


class ToolMessage(Part[ToolState]):
    """What the last tool did, or why it did nothing; for a place that is seen whichever tab is in front.

    Parameters
    ----------
    studio : Studio
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__(Tools.of(studio).state)
        self.done = Hint()
        self.refusal = Hint("notice")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.done)
        column.addWidget(self.refusal)
        self.follow(self.state.events, ("message", "refused"), self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        self.done.say("" if state.refused else state.message)
        self.refusal.say(state.message if state.refused else "")
        self.setVisible(bool(state.message) and self.parentWidget() is not None)


def _pixel(spacing: tuple[float, float, float] | None) -> str:
    """How large a pixel is, in words."""
    if spacing is None:
        return "the size of a pixel is not known"
    _, y, x = spacing
    return f"a pixel is {y:.2g} mm" if y == x else f"a pixel is {y:.2g} × {x:.2g} mm"


def _append(row: QWidget, widget: QWidget) -> None:
    line = row.layout()
    if line is not None:
        line.addWidget(widget)


def _row(*widgets: QWidget) -> QWidget:
    """Widgets of equal width, side by side."""
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(6)
    for widget in widgets:
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        line.addWidget(widget, 1)
    return row
