"""The number of the slice on the screen, in a corner of the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metseg.napari_plugin.state import ConnectionMixin

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio


class SliceNumber(ConnectionMixin):
    """Writes the number by which people call the slice on the canvas, for napari's slider counts from 0.

    A text that the user or another plugin has put there stays.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._text = ""
        self.follow(studio.state.events, ("case",), self._show)
        self.follow(studio.viewer.dims.events, ("current_step", "ndisplay", "order"), self._show)

    def _show(self) -> None:
        overlay = self._studio.viewer.canvas.overlays.text
        if overlay.text not in ("", self._text):
            return
        case, z = self._studio.state.case, self._studio.shown_slice
        self._text = "" if case is None or z is None else f"slice {case.numbers[z]}"
        overlay.text = self._text
        overlay.visible = bool(self._text)
