"""The correction tools as buttons: which one has the mouse, what the last one did, and their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QInputDialog, QPushButton, QSizePolicy, QSpinBox, QWidget
from superqt import QLabeledRangeSlider

from metseg.curation import ToolName
from metseg.napari_plugin.controls import Choice, Hint, Option, Part, column, row
from metseg.napari_plugin.studio.canvas_tools import CanvasTools, EdgePreview
from metseg.napari_plugin.studio.panel import Panel
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.studio.state import Edge, OnCanvas, StudioState, ToolState
from metseg.napari_plugin.translations import translate
from metseg.preprocessing import display_window

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio
    from metseg.napari_plugin.studio.tools import Tools

_MOST_NEIGHBOURS = 5
_HIGHEST = 65535
_ARROW = 34
_DELETE = "Delete"
#: A space without which a label would be lower than with text.
_EMPTY_LINE = "\u00a0"

_BRUSH = QT_TRANSLATE_NOOP(
    "studio",
    "Draw once along a lesion: it is outlined along the network's contour and the image's edge. "
    "With Shift held, what you draw over is taken away. The brush is as thick as napari's ([ and ]).",
)
_ERASER = QT_TRANSLATE_NOOP(
    "studio", "Draw once over what is no lesion: it is taken away up to where the rest looks different."
)
_SPLIT = QT_TRANSLATE_NOOP(
    "studio", "Click into both parts of a lesion: it is cut at the narrowest place between them."
)
_RULER = QT_TRANSLATE_NOOP(
    "studio", "Drag on the canvas: how far it is from there to here, in mm where the voxel size is known."
)
_SEPARATE = QT_TRANSLATE_NOOP("studio", "Every piece of the selected lesion that hangs together gets its own number.")
_GROW = QT_TRANSLATE_NOOP(
    "studio",
    "Move the selected lesion's edge outwards, as far as chosen beside it. "
    "Held, the key shows what would change; Escape leaves it.",
)
_SHRINK = QT_TRANSLATE_NOOP(
    "studio",
    "Move the selected lesion's edge inwards, as far as chosen beside it. "
    "Held, the key shows what would change; Escape leaves it.",
)
_EDGE = QT_TRANSLATE_NOOP(
    "studio",
    "How far Grow and Shrink move the edge of the selected lesion: by a pixel in this slice or in all ({pixel}), "
    "or to the network's next contour.",
)
_INTERPOLATE = QT_TRANSLATE_NOOP(
    "studio", "Redraw the selected lesion between the nearest slices before and after this one that you drew."
)
_MERGE = QT_TRANSLATE_NOOP("studio", "The lesions selected in the table get the number of the current one.")
_RENUMBER = QT_TRANSLATE_NOOP("studio", "Give the selected lesion another number.")
_NEIGHBOURS = QT_TRANSLATE_NOOP(
    "studio", "In how many slices above and below a stroke outlines the lesion too, as long as it looks alike there."
)
_REMOVE = QT_TRANSLATE_NOOP("studio", "Remove the lesions selected in the table.")
_REDRAW = QT_TRANSLATE_NOOP("studio", "What the lesion has beyond the new outline, in that slice, is taken away.")


class ToolPanel(Panel):
    """A button for every tool."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(translate("studio", "Correct"), studio)
        self.tools = tools = studio.tools
        self.canvas = CanvasTools(studio, tools)
        studio.add_closing(self.canvas.unfollow)
        self.brush = self._toggle(QT_TRANSLATE_NOOP("studio", "Guided brush"), "G", OnCanvas.BRUSH, _BRUSH)
        self.eraser = self._toggle(QT_TRANSLATE_NOOP("studio", "Guided eraser"), "R", OnCanvas.ERASER, _ERASER)
        self.split = self._toggle(QT_TRANSLATE_NOOP("studio", "Split"), "S", OnCanvas.SPLIT, _SPLIT)
        self.preview = EdgePreview(studio, tools)
        self.ruler = self._toggle(QT_TRANSLATE_NOOP("studio", "Measure"), "Shift-M", OnCanvas.RULER, _RULER)
        self.grow = self._button(QT_TRANSLATE_NOOP("studio", "Grow"), "U", tools.grow, _GROW, ToolName.GROW)
        self.shrink = self._button(QT_TRANSLATE_NOOP("studio", "Shrink"), "D", tools.shrink, _SHRINK, ToolName.SHRINK)
        self.interpolate = self._button(
            QT_TRANSLATE_NOOP("studio", "Interpolate"), "I", tools.interpolate, _INTERPOLATE
        )
        self.separate = self._button(QT_TRANSLATE_NOOP("studio", "Separate"), "", tools.separate, _SEPARATE)
        self.merge = self._button(QT_TRANSLATE_NOOP("studio", "Merge"), "", tools.merge, _MERGE)
        self.delete = self._button(QT_TRANSLATE_NOOP("studio", "Delete"), _DELETE, tools.delete, _REMOVE)
        self.renumber = self._button(
            QT_TRANSLATE_NOOP("studio", "Renumber …"), "", lambda: renumber(self, tools), _RENUMBER
        )
        self.undo = self._button(
            "↶", "", tools.undo, QT_TRANSLATE_NOOP("studio", "Take the last change back (Ctrl+Z).")
        )
        self.redo = self._button("↷", "", tools.redo, QT_TRANSLATE_NOOP("studio", "Make it again (Ctrl+Shift+Z)."))
        for one, name in ((self.undo, "Undo"), (self.redo, "Redo")):
            one.setAccessibleName(name)
        text, tip = translate("studio", "Redraw"), translate("studio", _REDRAW)
        self.redraw = self.field(tools.state, "redraw", text=text, tooltip=tip)
        self.neighbours = QSpinBox()
        self.neighbours.setRange(0, _MOST_NEIGHBOURS)
        self.neighbours.setToolTip(translate("studio", _NEIGHBOURS))
        self.neighbours.valueChanged.connect(lambda value: setattr(tools.state, "neighbours", value))
        self.neighbours.setSpecialValueText(translate("studio", "this slice"))
        self.neighbours.setPrefix("± ")
        self.neighbours.setSuffix(translate("studio", " slices"))
        self.only = IntensityRange(self.state, tools.state)
        onward = QT_TRANSLATE_NOOP("studio", "copy the lesion to the next slice")
        back = QT_TRANSLATE_NOOP("studio", "copy the lesion to the slice before")
        studio.add_shortcut(Shortcut("Shift-Right", onward, lambda: tools.copy(1)))
        studio.add_shortcut(Shortcut("Shift-Left", back, lambda: tools.copy(-1)))
        self.edge = Choice(lambda edge: setattr(tools.state, "edge", edge))
        self._lay_out()
        self.follow(tools.state.events, ("on_canvas", "neighbours", "edge"), self._show)
        self.follow(studio.state.events, ("case",), self._show)
        self._show()

    def _toggle(self, title: str, key: str, which: OnCanvas, tip: str) -> QPushButton:
        def switch() -> None:
            self.tools.state.on_canvas = which if button.isChecked() else OnCanvas.NONE

        button = self._button(title, key, switch, tip)
        button.setCheckable(True)
        return button

    def _button(
        self, title: str, key: str, act: Callable[[], object], tip: str, previewed: ToolName | None = None
    ) -> QPushButton:
        """A button; the key of one that is ``previewed`` shows what would change while held, and does it when let go.

        The key that deletes turns to *Review* first, for what is deleted must be seen selected in the table.
        """
        text, what = translate("studio", title), title.lower()
        button = QPushButton(text)
        button.setObjectName("tool")
        button.setToolTip(translate("studio", tip))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the canvas
        button.clicked.connect(lambda: act())

        def pressed() -> None:
            if previewed is not None:
                self.preview.begin(previewed)
            elif key != _DELETE or self.studio.in_review():
                button.click()

        def released() -> None:
            if self.preview.end():
                button.click()

        if key:
            self.studio.add_shortcut(Shortcut(key, what, pressed, None if previewed is None else released))
            self.studio.show_key(button, text, what)
        return button

    def _lay_out(self) -> None:
        for one in (self.undo, self.redo):
            one.setFixedWidth(_ARROW)
        self.add_wide(row(_row(self.brush, self.eraser), self.undo, self.redo))
        self.add_row(translate("studio", "Brush outlines"), row(self.neighbours, self.redraw, spacing=-1))
        self.add_wide(row(self.only, self.ruler, spacing=-1))
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
            button.setChecked(state.on_canvas is which)
        self.neighbours.setValue(state.neighbours)
        self._show_edge()
        for child in self.findChildren(QPushButton):
            child.setEnabled(self.state.editable)
        self.ruler.setEnabled(self.state.case is not None)

    def _show_edge(self) -> None:
        case = self.state.case
        seen = case is not None and case.prediction is not None
        tip = (
            translate("studio", "The contour that adds or removes at least 15 % of the lesion.")
            if seen
            else translate("studio", "No network has seen this case.")
        )
        options = [
            Option(Edge.SLICE, translate("studio", "this slice")),
            Option(Edge.ALL, translate("studio", "all slices")),
            Option(Edge.CONTOUR, translate("studio", "contour"), tip, seen),
        ]
        self.edge.offer(options, self.tools.state.edge)
        self.edge.setToolTip(
            translate("studio", _EDGE).format(pixel=_pixel(None if case is None else case.study.geometry.spacing))
        )


class IntensityRange(Part["ToolState"]):
    """A box, and a range for each case while it is checked; ``tools.only`` is shown and changed."""

    def __init__(self, studio: StudioState, tools: ToolState) -> None:
        super().__init__(tools)
        self._studio = studio
        self.box = QCheckBox(translate("studio", "Draw only within"))
        tip = translate(
            "studio",
            "Brushes, napari's own too, draw only on intensities within this range of the image that "
            "the tools look at.",
        )
        self.box.setToolTip(tip)
        self.box.toggled.connect(self._on_changed)
        self.slider = QLabeledRangeSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(tip)
        self.slider.valueChanged.connect(self._on_changed)
        row(self.box, self.slider, spacing=-1, stretch=(0, 1), held=self)
        self.follow(studio.events, ("case",), self._on_case)
        self._on_case()

    def _on_case(self) -> None:
        """Each case has intensities of its own: the box is unchecked for the next one."""
        case = self._studio.case
        self.setEnabled(case is not None and self._studio.editable)
        with QSignalBlocker(self.box), QSignalBlocker(self.slider):
            self.box.setChecked(False)
            if case is not None:
                low, high = display_window(case.guide)
                self.slider.setRange(int(case.guide.min()), max(int(case.guide.max()), 1))
                self.slider.setValue((round((low + high) / 2), int(self.slider.maximum())))
        self._on_changed()

    def _on_changed(self) -> None:
        on = self.box.isChecked()
        self.slider.setVisible(on)
        low, high = self.slider.value()
        self.state.only = (float(low), float(high)) if on else None


class ToolMessage(Part[ToolState]):
    """What the last tool did, or why it did nothing; for a place that is seen whichever tab is in front.

    It keeps its line while a case is open, so that nothing below moves with each stroke.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio.tools.state)
        self._studio = studio
        self.done = Hint()
        self.refusal = Hint("notice")
        column(self, self.done, self.refusal, spacing=-1)
        self.follow(self.state.events, ("message", "refused"), self._show)
        self.follow(studio.state.events, ("case",), self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        self.done.setText(state.message or _EMPTY_LINE)
        self.done.setVisible(not state.refused)
        self.refusal.say(state.message if state.refused else "")
        needed = bool(state.message) or self._studio.state.case is not None
        self.setVisible(needed and self.parentWidget() is not None)


def _pixel(spacing: tuple[float, float, float] | None) -> str:
    """How large a pixel is, as a text."""
    if spacing is None:
        return "the size of a pixel is not known"
    _, y, x = spacing
    return f"a pixel is {y:.2g} mm" if y == x else f"a pixel is {y:.2g} × {x:.2g} mm"


def _row(*widgets: QWidget) -> QWidget:
    """Widgets of equal width, side by side."""
    for widget in widgets:
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return row(*widgets, stretch=(1,) * len(widgets))


def renumber(parent: QWidget, tools: Tools) -> None:
    """Give the selected lesion a number that the user enters."""
    old = tools.lesion
    if not old:
        tools.refuse(translate("studio", "Select a lesion first: click on it in the table."))
        return
    number, given = QInputDialog.getInt(
        parent,
        translate("studio", "Renumber"),
        translate("studio", "New number of lesion {number}").format(number=old),
        old,
        1,
        _HIGHEST,
    )
    if given:
        tools.relabel(old, number)
