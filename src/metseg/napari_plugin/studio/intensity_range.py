"""Which intensities a brush may draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox
from superqt import QLabeledRangeSlider

from metseg.napari_plugin.controls import Part, row
from metseg.napari_plugin.translations import translate
from metseg.preprocessing import display_window

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.state import StudioState
    from metseg.napari_plugin.studio.tool_state import ToolState


class IntensityRange(Part["ToolState"]):
    """A box, and a range for each case while it is checked.

    Parameters
    ----------
    tools : ToolState
        Its ``only`` is shown and changed.
    """

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
